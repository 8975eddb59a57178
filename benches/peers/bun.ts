// A room chat on Bun: its own WebSocket server, its own publish/subscribe. PORT [CERTIFICATE KEY]: with them, over TLS.

type Member = { room: string; name: string };

const [certificate, key] = Bun.argv.slice(3);
const tls = certificate && key ? { cert: Bun.file(certificate), key: Bun.file(key) } : undefined;

const lastIds = new Map<string, number>();

const server = Bun.serve<Member>({
  hostname: "127.0.0.1",
  port: Number(Bun.argv[2] ?? 9002),
  tls,
  fetch(request, server) {
    if (server.upgrade(request, { data: { room: "", name: "" } })) return;
    return new Response("a WebSocket, please", { status: 426 });
  },
  websocket: {
    idleTimeout: 0,
    message(socket, frame) {
      const said = JSON.parse(frame as string);
      const member = socket.data;
      if (said.type === "join") {
        member.room = said.room;
        member.name = said.name;
        socket.subscribe(member.room);
        socket.send(JSON.stringify({ type: "joined", room: member.room }));
      } else if (said.type === "message") {
        const id = (lastIds.get(member.room) ?? 0) + 1;
        lastIds.set(member.room, id);
        const event = {
          type: "message",
          id,
          time: Date.now(),
          name: member.name,
          via: "web",
          kind: "say",
          text: said.text,
          cid: said.cid,
        };
        server.publish(member.room, JSON.stringify(event));
      }
    },
  },
});
