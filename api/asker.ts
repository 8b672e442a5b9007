/** Who asks: an address, which is what readers' bounds are counted by. */
import { BlockList, isIP } from "node:net";
import type { Context } from "hono";
import { nodeMessages } from "./node.js";

/** Who asks when no server is there to say so. */
export const NOBODY = "";

/**
 * Says who asks. Behind a proxy that is trusted, the last address of `X-Forwarded-For` that no trusted proxy has; from anybody
 * else that header is what he likes to say. An IPv6 address stands for its /64, which is what one household has.
 */
export class Askers {
  private readonly proxies = new BlockList();

  /** Addresses, or ranges such as 10.0.0.0/8. RangeError for what is neither. */
  constructor(trustedProxies: readonly string[] = []) {
    for (const text of trustedProxies) {
      const [address = "", bits] = text.split("/");
      const family = isIP(address) === 6 ? "ipv6" : "ipv4";
      const most = family === "ipv6" ? 128 : 32;
      const isRange = bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= most);
      if (isIP(address) === 0 || !isRange)
        throw new RangeError(`want an address, or a range such as 10.0.0.0/8, got ${JSON.stringify(text)}`);
      if (bits === undefined) this.proxies.addAddress(address, family);
      else this.proxies.addSubnet(address, Number(bits), family);
    }
  }

  of(c: Context): string {
    const remote = nodeMessages(c).incoming?.socket.remoteAddress;
    if (remote === undefined) return NOBODY;
    const path = (c.req.header("x-forwarded-for") ?? "").split(",").map((one) => one.trim());
    let address = plain(remote);
    while (this.isProxy(address)) {
      const before = path.pop();
      if (before === undefined || isIP(plain(before)) === 0) break;
      address = plain(before);
    }
    return isIP(address) === 6 ? prefixOf(address) : address;
  }

  private isProxy(address: string): boolean {
    return this.proxies.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  }
}

/** An IPv4 address that came by way of IPv6 is one all the same. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}

/** The first 64 bits, written out. */
function prefixOf(address: string): string {
  const [head = "", tail] = address.replace(/%.*$/, "").split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...first, ...Array<string>(Math.max(0, 8 - first.length - last.length)).fill("0"), ...last];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
