//! `snugd export`: what was said in a room, as objects or as a terminal shows it.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use super::place::Place;
use super::{FAILED, UNUSABLE};
#[cfg(feature = "cluster")]
use crate::journal::redis;
#[cfg(feature = "sqlite")]
use crate::journal::sqlite;
use crate::json;
use crate::line::{LineEncoder, LocalClock};
use crate::options::{ClusterArguments, Exit, ExportFormat};
use crate::rooms::{Encoder, Event, RoomCode};

/// Why there is no more of it.
enum ExportFault {
    /// The place cannot be used: a sentence.
    Unusable(String),
    NoSuchRoom,
    Output(io::Error),
}

pub(super) fn export(
    file: Option<&Path>,
    cluster: &ClusterArguments,
    typed: &str,
    format: ExportFormat,
) -> Result<(), Exit> {
    let place = Place::find(file, cluster, "Name the data file and the room's code, or --cluster URL and the code.")?;
    let no_such_room =
        || Exit::failed(FAILED, &format!("There is no room {typed:?} in {place}; its code is in its address."));
    let code = RoomCode::parse(typed).ok_or_else(no_such_room)?;
    let mut output = BufWriter::new(io::stdout().lock());
    let mut writer = EventWriter::new(code, format);
    let result = visit_events(&place, code, |event| output.write_all(writer.write(event)));
    let result = result.and_then(|()| output.flush().map_err(ExportFault::Output));
    match result {
        Ok(()) => Ok(()),
        // Whoever reads has read enough (`snugd export … | head`).
        Err(ExportFault::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(ExportFault::Output(error)) => {
            Err(Exit::failed(FAILED, &format!("The events cannot be written out ({error}); send them elsewhere.")))
        }
        Err(ExportFault::NoSuchRoom) => Err(no_such_room()),
        Err(ExportFault::Unusable(sentence)) => Err(Exit::failed(UNUSABLE, &sentence)),
    }
}

fn visit_events(place: &Place, code: RoomCode, visit: impl FnMut(&Event) -> io::Result<()>) -> Result<(), ExportFault> {
    match place {
        #[cfg(feature = "sqlite")]
        Place::File(file) => sqlite::visit_events(file, code, visit).map_err(|error| match error {
            sqlite::ExportError::Unusable(why) => ExportFault::Unusable(why.to_string()),
            sqlite::ExportError::NoSuchRoom => ExportFault::NoSuchRoom,
            sqlite::ExportError::Output(error) => ExportFault::Output(error),
        }),
        #[cfg(not(feature = "sqlite"))]
        Place::File(_) => unreachable!("the options have refused it"),
        #[cfg(feature = "cluster")]
        Place::Log { address, wait_replicas } => {
            redis::visit_events(address, *wait_replicas, code, visit).map_err(|error| match error {
                redis::ExportError::Unusable(sentence) => ExportFault::Unusable(sentence),
                redis::ExportError::NoSuchRoom => ExportFault::NoSuchRoom,
                redis::ExportError::Output(error) => ExportFault::Output(error),
            })
        }
    }
}

/// Writes events one after the other.
struct EventWriter {
    format: ExportFormat,
    clock: LocalClock,
    encoder: LineEncoder,
    code: RoomCode,
    day: Option<String>,
    bytes: Vec<u8>,
}

impl EventWriter {
    fn new(code: RoomCode, format: ExportFormat) -> EventWriter {
        let clock = LocalClock::system();
        let encoder = LineEncoder::new(clock.clone(), String::new());
        EventWriter { format, encoder, code, clock, day: None, bytes: Vec::new() }
    }

    /// The event's lines, each ended by LF.
    fn write(&mut self, event: &Event) -> &[u8] {
        self.bytes.clear();
        match self.format {
            ExportFormat::Json => {
                json::write_event(self.code, event, &mut self.bytes);
                self.bytes.push(b'\n');
            }
            ExportFormat::Text => {
                let day = self.clock.date(event.time_ms).strftime("%A %-d %B %Y").to_string();
                if self.day.as_ref() != Some(&day) {
                    self.bytes.extend(format!("* -- {day} --\n").bytes());
                    self.day = Some(day);
                }
                self.encoder.encode_event(&self.code, event, &mut self.bytes);
                // Terminals end lines with CRLF; no text has a CR of its own.
                self.bytes.retain(|&byte| byte != b'\r');
            }
        }
        &self.bytes
    }
}
