/** Reading from servers that are not ours: gzip that nobody asked for, partial tiles that are gone, "come back later", proxies. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { readTile } from "../../src/client/tile-reading.js";
import { Transport } from "../../src/client/transport.js";
import { WritError } from "../../src/errors.js";
import { formatBundle, parseBundle } from "../../src/format/bundle.js";

async function serving<T>(
  answer: (incoming: IncomingMessage, outgoing: ServerResponse) => void,
  use: (url: string, transport: Transport) => Promise<T>,
  patienceMs = 5_000,
): Promise<T> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const transport = new Transport({ url, patienceMs });
  try {
    return await use(url, transport);
  } finally {
    await transport.close();
    server.closeAllConnections();
    server.close();
  }
}

const isInvalid = (error: unknown): boolean =>
  error instanceof WritError && error.code === "SERVER_ANSWER_INVALID";

test("gzip is asked for and read, also where nobody asked; what inflates beyond the bound, or is no gzip, is refused", async () => {
  const plain = Buffer.alloc(10_000, "tile ");
  const bodies: Readonly<Record<string, { body: Buffer; coding: string }>> = {
    "/good": { body: gzipSync(plain), coding: "gzip" },
    "/plain": { body: plain, coding: "identity" },
    "/bomb": { body: gzipSync(Buffer.alloc(50_000_000)), coding: "gzip" },
    "/torn": { body: gzipSync(plain).subarray(0, 20), coding: "gzip" },
    "/brotli": { body: plain, coding: "br" },
  };
  const asked: unknown[] = [];
  await serving(
    ({ url = "", headers }, outgoing) => {
      asked.push(headers["accept-encoding"]);
      const { body, coding } = bodies[url] ?? assert.fail(url);
      outgoing.writeHead(200, { "content-encoding": coding }).end(body);
    },
    async (_, transport) => {
      for (const path of ["/good", "/plain"])
        assert.deepEqual(Buffer.from(await transport.get(path, "*/*", 20_000)), plain, path);
      for (const path of ["/bomb", "/torn", "/brotli"])
        await assert.rejects(transport.get(path, "*/*", 100_000), isInvalid, path);
    },
  );
  assert.deepEqual(new Set(asked), new Set(["gzip, identity"]));
});

test("a partial tile that is gone is read off the full one; where neither is there, it is asked for once more", async () => {
  const hashes = Uint8Array.from({ length: 256 * 32 }, (_, i) => i % 251);
  const entries = Array.from({ length: 256 }, (_, i) => Uint8Array.of(i, i));
  const asked: string[] = [];
  await serving(
    ({ url = "" }, outgoing) => {
      asked.push(url);
      if (url === "/tile/0/000") outgoing.end(hashes);
      else if (url === "/tile/entries/000") outgoing.end(formatBundle(entries));
      else if (url === "/tile/0/001.p/3" && asked.filter((one) => one === url).length > 1)
        outgoing.end(hashes.subarray(0, 96));
      else outgoing.writeHead(404).end();
    },
    async (_, transport) => {
      const read = (path: string): Promise<Uint8Array> =>
        readTile((one) => transport.get(`/${one}`, "application/octet-stream"), path);
      assert.deepEqual(await read("tile/0/000.p/7"), new Uint8Array(hashes.subarray(0, 224)));
      assert.deepEqual(
        parseBundle(await read("tile/entries/000.p/5"), 5).map(([first]) => first),
        [0, 1, 2, 3, 4],
      );
      assert.equal((await read("tile/0/001.p/3")).length, 96);
      await assert.rejects(
        read("tile/0/002"),
        (error) => error instanceof WritError && error.code === "SERVER_REFUSED",
      );
    },
  );
});

test("Retry-After is obeyed, in seconds or as a date; when it goes beyond one's patience, that is said at once", async () => {
  const times: number[] = [];
  await serving(
    (_, outgoing) => {
      times.push(performance.now());
      if (times.length === 1) outgoing.writeHead(503, { "retry-after": "1" }).end();
      else outgoing.end("there");
    },
    async (_, transport) => {
      assert.equal(Buffer.from(await transport.get("/", "*/*")).toString(), "there");
    },
  );
  assert.ok((times[1] ?? 0) - (times[0] ?? 0) >= 990, "a second later, and not before");
  const begun = performance.now();
  await serving(
    (_, outgoing) =>
      outgoing.writeHead(503, { "retry-after": new Date(Date.now() + 3_600_000).toUTCString() }).end(),
    async (_, transport) =>
      assert.rejects(
        transport.get("/", "*/*"),
        (error) => error instanceof WritError && error.facts.status === 503,
      ),
  );
  assert.ok(performance.now() - begun < 4_000);
});

test("HTTP_PROXY is gone through, but for the hosts of NO_PROXY", async () => {
  const through: string[] = [];
  // A proxy that only tunnels, as it is asked to by CONNECT.
  const proxy = createServer();
  proxy.on("connect", (incoming, socket, head) => {
    through.push(incoming.url ?? "");
    const [host = "", port = ""] = (incoming.url ?? "").split(":");
    const onward = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const before = { ...process.env };
  process.env["HTTP_PROXY"] = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  try {
    const ask = async (): Promise<void> =>
      serving(
        (_, outgoing) => outgoing.end("there"),
        async (_, transport) => {
          assert.equal(Buffer.from(await transport.get("/", "*/*")).toString(), "there");
        },
      );
    await ask();
    assert.equal(through.length, 1);
    process.env["NO_PROXY"] = "127.0.0.1";
    await ask();
    assert.equal(through.length, 1);
  } finally {
    process.env = before;
    proxy.closeAllConnections();
    proxy.close();
  }
});
