// A member that the library `ws` makes: arguments are the WebSocket's address and the room.
"use strict";

const WebSocket = require("ws");

const [address, room] = process.argv.slice(1);
const socket = new WebSocket(address, "snugd.v1");
const send = (message) => socket.send(JSON.stringify(message));

socket.on("open", () => {
  console.log("subprotocol", socket.protocol);
  send({ type: "join", room, name: "robin" });
});
socket.on("pong", () => {
  console.log("ponged");
  send({ type: "message", text: "grüße, ana" });
});
socket.on("message", (data) => {
  const message = JSON.parse(data);
  if (message.type === "joined") socket.ping();
  if (message.type !== "message" || message.name === "robin") return;
  console.log("heard", message.text);
  send({ type: "leave" });
});
socket.on("close", (code) => console.log("closed", code));
