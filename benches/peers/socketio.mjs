// A room chat on socket.io: its own server, its own rooms. PORT alone|redis|streams [REDIS_PORT]: with an adapter, one of
// several processes that share a Redis. Nothing is kept, and each process numbers for itself.

import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(new URL("installed/socketio/", import.meta.url));
const { Server } = require("socket.io");
const { createClient } = require("redis");

const [port, mode, redisPort] = process.argv.slice(2);
const connect = () => createClient({ url: `redis://127.0.0.1:${redisPort}` }).connect();

async function adapter() {
  if (mode === "alone") return undefined;
  if (mode === "streams") return require("@socket.io/redis-streams-adapter").createAdapter(await connect());
  return require("@socket.io/redis-adapter").createAdapter(await connect(), await connect());
}

const server = createServer();
const io = new Server(server, { adapter: await adapter(), transports: ["websocket"], serveClient: false });
const lastIds = new Map();

io.on("connection", (socket) => {
  socket.on("join", async ({ room, name }) => {
    socket.data = { room, name };
    await socket.join(room);
    socket.emit("joined", { room });
  });
  socket.on("message", ({ text, cid }) => {
    const { room, name } = socket.data;
    const id = (lastIds.get(room) ?? 0) + 1;
    lastIds.set(room, id);
    io.to(room).emit("message", { id, time: Date.now(), name, via: "web", kind: "say", text, cid });
  });
});

server.listen(Number(port), "127.0.0.1", 4096);
