//! A room chat on tokio-tungstenite, as one would write it: a task and a channel for each member, one thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Said {
    Join { room: String, name: String },
    Message { text: String, cid: Option<String> },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Event<'a> {
    Joined { room: &'a str },
    Message { id: u64, time: u64, name: &'a str, via: &'a str, kind: &'a str, text: &'a str, cid: Option<&'a str> },
}

#[derive(Default)]
struct Room {
    last_id: u64,
    members: HashMap<u64, UnboundedSender<Utf8Bytes>>,
}

type Rooms = Rc<RefCell<HashMap<String, Room>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let port: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(9003);
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], port).into())?;
    let listener: TcpListener = socket.listen(4096)?;
    let rooms = Rooms::default();
    let tasks = tokio::task::LocalSet::new();
    tasks
        .run_until(async {
            for number in 0.. {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let rooms = rooms.clone();
                tokio::task::spawn_local(async move {
                    let mut place = None;
                    // A member whose connection fails has left, and that is all.
                    let _ = attend(stream, number, &rooms, &mut place).await;
                    if let Some((code, _)) = place
                        && let Some(room) = rooms.borrow_mut().get_mut(&code)
                    {
                        room.members.remove(&number);
                    }
                });
            }
            Ok(())
        })
        .await
}

async fn attend(
    stream: TcpStream,
    number: u64,
    rooms: &Rooms,
    place: &mut Option<(String, String)>,
) -> Result<(), Error> {
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    let (sender, mut events) = unbounded_channel::<Utf8Bytes>();
    loop {
        tokio::select! {
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => hear(&text, number, rooms, &sender, place),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            Some(event) = events.recv() => {
                socket.feed(Message::Text(event)).await?;
                while let Ok(event) = events.try_recv() {
                    socket.feed(Message::Text(event)).await?;
                }
                socket.flush().await?;
            }
        }
    }
}

fn hear(text: &str, number: u64, rooms: &Rooms, sender: &UnboundedSender<Utf8Bytes>, place: &mut Option<(String, String)>) {
    let mut rooms = rooms.borrow_mut();
    match (serde_json::from_str(text), place.as_ref()) {
        (Ok(Said::Join { room, name }), None) => {
            let _ = sender.send(encode(&Event::Joined { room: &room }));
            rooms.entry(room.clone()).or_default().members.insert(number, sender.clone());
            *place = Some((room, name));
        }
        (Ok(Said::Message { text, cid }), Some((code, name))) => {
            let room = rooms.entry(code.clone()).or_default();
            room.last_id += 1;
            let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
            let event = Event::Message { id: room.last_id, time, name, via: "web", kind: "say", text: &text, cid: cid.as_deref() };
            let event = encode(&event);
            for member in room.members.values() {
                let _ = member.send(event.clone());
            }
        }
        _ => {}
    }
}

fn encode(event: &Event) -> Utf8Bytes {
    serde_json::to_string(event).expect("plain fields").into()
}
