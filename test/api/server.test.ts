/** The server against clients that are slow, rude or broken: each gets a coded answer or a closed socket, nobody else notices. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { createApp } from "../../api/app.js";
import { listen, type RunningServer } from "../../api/server.js";
import type { Log } from "../../src/log/log.js";
import { logKey, logWithAgent, request } from "../support/log.js";
import { skipUnlessSlow } from "../support/runs.js";
import { appOf } from "../support/scitt.js";

async function withServer(use: (server: RunningServer, log: Log) => Promise<void>): Promise<void> {
  const log = await logWithAgent();
  const server = await listen(appOf(log), "127.0.0.1", 0);
  try {
    await use(server, log);
  } finally {
    await server.close();
    await log.close();
  }
}

/** Sends bytes as they are and returns everything that comes back until the server closes, or until `enough` has come. */
async function raw(port: number, text: string, enough?: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let received = "";
    socket.on("connect", () => socket.write(text));
    socket.on("data", (chunk) => {
      received += chunk.toString();
      if (enough?.test(received)) socket.destroy();
    });
    socket.on("close", () => resolve(received));
    socket.on("error", reject);
  });
}

const POST = "POST /v1/entries HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";

test("what is not HTTP, or too much header, gets a problem body", async () => {
  await withServer(async ({ port }) => {
    for (const bad of [
      "hello\r\n\r\n",
      "GET / HTTP/1.1\r\nhost: a\r\nx y: z\r\n\r\n",
      `${POST}content-length: x\r\n\r\n`,
      `${POST}content-length: 5\r\ncontent-length: 6\r\n\r\n`,
    ]) {
      const answer = await raw(port, bad);
      assert.match(
        answer,
        /^HTTP\/1\.1 400 Bad Request\r\n[^]*content-type: application\/problem\+json\r\n/,
        JSON.stringify(bad.slice(0, 60)),
      );
      assert.match(answer, /"code":"REQUEST_MALFORMED"/);
    }
    const big = await raw(port, `GET / HTTP/1.1\r\nx: ${"y".repeat(40_000)}\r\n\r\n`);
    assert.match(big, /^HTTP\/1\.1 431 [^]*"code":"HEADERS_TOO_LARGE"/);
    for (const odd of [
      "GET /checkpoint HTTP/1.1\r\nconnection: close\r\n\r\n",
      "GET / HTTP/1.1\r\nhost: a\r\nexpect: miracles\r\n\r\n",
      "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n",
    ]) {
      assert.match(await raw(port, odd), /^HTTP\/1\.1 4\d\d [^]*application\/problem\+json/, odd);
    }
    const host = await raw(port, "GET /checkpoint HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n");
    assert.match(host, /^HTTP\/1\.1 400 /);
    assert.match(host, /application\/problem\+json/);
  });
});

test("on SCRAPI's paths what never reaches the app has a concise problem body, too", async () => {
  await withServer(async ({ port }) => {
    const post = "POST /entries HTTP/1.1\r\nhost: a\r\ncontent-type: application/cose\r\n";
    for (const [bad, status, title] of [
      ["GET /entries/ab HTTP/1.1\r\nhost: a\r\nx y: z\r\n\r\n", 400, "Malformed request"],
      [`${post}content-length: x\r\n\r\n`, 400, "Malformed request"],
      [
        `GET /.well-known/scitt-keys HTTP/1.1\r\nx: ${"y".repeat(40_000)}\r\n\r\n`,
        431,
        "Request Header Fields Too Large",
      ],
      ["GET /entries HTTP/1.1\r\nconnection: close\r\n\r\n", 400, "Malformed request"],
      ["GET /entries/a?b HTTP/1.1\r\nhost: a\r\nexpect: miracles\r\n\r\n", 400, "Malformed request"],
      ["GET /entries/ab HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n", 400, "Malformed request"],
      [`${post}content-length: 200000\r\n\r\n`, 413, "Content Too Large"],
      ["GET /%65ntries/ab HTTP/1.1\r\nconnection: close\r\n\r\n", 400, "Malformed request"],
      ["GET http://a/entries/ab HTTP/1.1\r\nconnection: close\r\n\r\n", 400, "Malformed request"],
      ["GET /./entries/ab HTTP/1.1\r\nconnection: close\r\n\r\n", 400, "Malformed request"],
      [`${post}transfer-encoding: chunked\r\n\r\nzz\r\n`, 400, "Malformed request"],
      ["GET /entries/%zz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 400, "Invalid locator"],
    ] as const) {
      const answer = await raw(port, bad, /concise[^]*\r\n\r\n[^]+/);
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), bad.slice(0, 60));
      assert.match(answer, /content-type: application\/concise-problem-details\+cbor\r\n/);
      assert.ok(answer.includes(title), `${bad.slice(0, 40)}: ${answer}`);
    }
  });
});

test("a body beyond the limit is refused by its declared length, or as it grows", async () => {
  await withServer(async ({ port }, log) => {
    const declared = await raw(port, `${POST}content-length: 999999999\r\n\r\n{`, /retryable/);
    assert.match(declared, /^HTTP\/1\.1 413 /);
    assert.match(declared, /BODY_TOO_LARGE/);
    const chunk = `${(65_536).toString(16)}\r\n${"x".repeat(65_536)}\r\n`;
    const growing = await raw(
      port,
      `${POST}transfer-encoding: chunked\r\n\r\n${chunk.repeat(3)}0\r\n\r\n`,
      /retryable/,
    );
    assert.match(growing, /BODY_TOO_LARGE/);
    assert.equal(log.published.size, 2);
  });
});

test("a chunked statement is a statement", async () => {
  await withServer(async ({ port }, log) => {
    const text = Buffer.from(request(1).bytes).toString();
    const halves = [text.slice(0, 100), text.slice(100)]
      .map((half) => `${half.length.toString(16)}\r\n${half}\r\n`)
      .join("");
    const answer = await raw(
      port,
      `${POST}transfer-encoding: chunked\r\n\r\n${halves}0\r\n\r\n`,
      /cosigned_by/,
    );
    assert.match(answer, /^HTTP\/1\.1 201 /);
    assert.equal(log.published.size, 3);
  });
});

test("clients that hang up, before or after the whole body, stop nobody", async () => {
  await withServer(async ({ port }, log) => {
    const text = Buffer.from(request(1).bytes).toString();
    for (let i = 0; i < 20; i++) {
      const socket = connect(port, "127.0.0.1");
      await new Promise((resolve) => socket.on("connect", resolve));
      const whole = i % 2 === 0;
      socket.write(`${POST}content-length: ${text.length}\r\n\r\n${whole ? text : text.slice(0, 50)}`, () =>
        socket.destroy(),
      );
      await new Promise((resolve) => socket.on("close", resolve));
    }
    const response = await fetch(`http://127.0.0.1:${port}/v1/entries`, {
      method: "POST",
      body: Buffer.from(request(1).bytes),
      headers: { "content-type": "application/json" },
    });
    assert.ok([200, 201].includes(response.status));
    assert.equal(log.published.size, 3, "the statement has one place, however often it was cut off");
  });
});

test("draining: requests under way are answered, new connections are not taken", async () => {
  const log = await logWithAgent();
  const server = await listen(createApp(log, { verifierKeys: [logKey], version: "test" }), "127.0.0.1", 0);
  const url = `http://127.0.0.1:${server.port}`;
  const answers = Array.from({ length: 50 }, (_, n) =>
    fetch(`${url}/v1/entries`, {
      method: "POST",
      body: Buffer.from(request(n).bytes),
      headers: { "content-type": "application/json" },
    }),
  );
  const first = await Promise.race(answers);
  assert.equal(first.status, 201);
  const closing = server.close();
  const settled = await Promise.allSettled(answers);
  await closing;
  const acknowledged = settled.filter((s) => s.status === "fulfilled" && s.value.status === 201).length;
  assert.ok(acknowledged > 0);
  await assert.rejects(fetch(`${url}/checkpoint`));
  assert.ok(log.published.size >= acknowledged + 2);
  await log.close();
});

test("draining ends although strangers hold connections open; answers under way arrive whole", async () => {
  const log = await logWithAgent();
  const server = await listen(createApp(log, { verifierKeys: [logKey], version: "test" }), "127.0.0.1", 0);
  const silent = ["", "GET /check", "GET /checkpoint HTTP/1.1\r\nhost: a\r\n"].map((text) =>
    raw(server.port, text),
  );
  const statement = Buffer.from(request(1).bytes);
  await fetch(`http://127.0.0.1:${server.port}/v1/entries`, {
    method: "POST",
    body: statement,
    headers: { "content-type": "application/json" },
  });
  // An answer of megabytes, asked for and not read until the server is draining.
  const body = Buffer.concat(
    Array.from({ length: 5000 }, () => Buffer.concat([statement, Buffer.from("\n")])),
  );
  const socket = connect(server.port, "127.0.0.1");
  socket.write(
    `POST /v1/entries/batch HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-ndjson\r\ncontent-length: ${body.length}\r\n\r\n`,
  );
  socket.write(body);
  await new Promise<void>((resolve) => socket.once("readable", resolve));
  const closed = server.close();
  let received = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => (received = Buffer.concat([received, chunk])));
  await new Promise((resolve) => socket.once("close", resolve));
  const length = Number(/content-length: (\d+)/i.exec(received.toString("latin1", 0, 400))?.[1]);
  assert.equal(received.length - received.indexOf("\r\n\r\n") - 4, length);
  await closed;
  await Promise.all(silent);
  await log.close();
});

test("bodies that are only declared hold nobody up", async () => {
  await withServer(async ({ port }, log) => {
    const sockets = Array.from({ length: 20 }, () => connect(port, "127.0.0.1"));
    for (const socket of sockets) {
      socket.on("error", () => {});
      socket.write(
        "POST /v1/entries/batch HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-ndjson\r\ncontent-length: 16777216\r\n\r\n{",
      );
    }
    const response = await fetch(`http://127.0.0.1:${port}/v1/entries`, {
      method: "POST",
      body: Buffer.from(request(1).bytes),
      headers: { "content-type": "application/json" },
    });
    assert.equal(response.status, 201);
    for (const socket of sockets) socket.destroy();
    assert.equal(log.published.size, 3);
  });
});

test("a tile has one spelling on the wire: dots and encodings are not resolved first", async () => {
  await withServer(async ({ port }) => {
    const get = (path: string) => raw(port, `GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
    assert.match(await get("/tile/0/000.p/2"), /^HTTP\/1\.1 200 /);
    for (const path of [
      "/foo/../tile/0/000.p/2",
      "/tile/0/./000.p/2",
      "/tile/entries/../0/000.p/2",
      "/tile/0/%30%30%30.p/2",
      "/tile/0/000.p//2",
    ]) {
      assert.match(await get(path), /^HTTP\/1\.1 404 /, path);
    }
    assert.match(await get("/tile/0/000.p/2?x=1"), /^HTTP\/1\.1 400 /);
    assert.match(await get("/healthz?x=1"), /^HTTP\/1\.1 400 /);
  });
});

test("a client that trickles is answered 408 in time, and let go", { skip: skipUnlessSlow }, async () => {
  await withServer(async ({ port }) => {
    const began = Date.now();
    const answer = await raw(port, "GET /checkpoint HTTP/1.1\r\nhost: a\r\nx-slow: ");
    assert.match(answer, /^HTTP\/1\.1 408 [^]*"code":"REQUEST_TIMEOUT"/);
    assert.ok(Date.now() - began < 20_000);
  });
});
