"""A room chat on Flask-SocketIO: `flask_room.py PORT threading|gevent`."""

import itertools
import logging
import sys
import time
from collections import defaultdict

from flask import Flask, request
from flask_socketio import SocketIO, emit, join_room

port, mode = int(sys.argv[1]), sys.argv[2]
logging.getLogger("werkzeug").disabled = True

app = Flask(__name__)
socketio = SocketIO(app, async_mode=mode)
members = {}
ids = defaultdict(lambda: itertools.count(1))


@socketio.on("join")
def join(said):
    members[request.sid] = (said["room"], said["name"])
    join_room(said["room"])
    emit("joined", {"room": said["room"]})


@socketio.on("message")
def message(said):
    room, name = members[request.sid]
    event = {
        "id": next(ids[room]),
        "time": int(time.time() * 1000),
        "name": name,
        "via": "web",
        "kind": "say",
        "text": said["text"],
        "cid": said["cid"],
    }
    emit("message", event, to=room)


options = {"allow_unsafe_werkzeug": True} if mode == "threading" else {}
socketio.run(app, host="127.0.0.1", port=port, **options)
