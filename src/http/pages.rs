//! The two pages, home and room, filled in for whoever asks.

use super::assets::{ASSETS_HASH, HOME_TEMPLATE, ROOM_TEMPLATE};
use super::template::{Template, Value, escape};
use crate::rooms::{Name, RoomCode};

/// What every page is sent with. No script but our files, no request to anybody else, no frame around it.
pub const PAGE_FIELDS: [(&str, &str); 2] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
];

/// Both pages, ready to be filled in.
#[derive(Debug)]
pub struct Pages {
    home: Template<HomeSlot>,
    room: Template<RoomSlot>,
    base_path: String,
    assets_path: String,
    code_length: String,
    max_message: String,
}

#[derive(Clone, Copy, Debug)]
enum HomeSlot {
    Base,
    Assets,
    Title,
    Heading,
    Name,
    Code,
    CodeLength,
    Notice,
    NameAttributes,
    CodeAttributes,
}

impl HomeSlot {
    fn named(name: &str) -> Option<HomeSlot> {
        Some(match name {
            "base" => HomeSlot::Base,
            "assets" => HomeSlot::Assets,
            "title" => HomeSlot::Title,
            "heading" => HomeSlot::Heading,
            "name" => HomeSlot::Name,
            "code" => HomeSlot::Code,
            "code_length" => HomeSlot::CodeLength,
            "notice" => HomeSlot::Notice,
            "name_attributes" => HomeSlot::NameAttributes,
            "code_attributes" => HomeSlot::CodeAttributes,
            _ => return None,
        })
    }
}

#[derive(Clone, Copy, Debug)]
enum RoomSlot {
    Base,
    Assets,
    Code,
    Name,
    Invite,
    LineHint,
    MaxMessage,
}

impl RoomSlot {
    fn named(name: &str) -> Option<RoomSlot> {
        Some(match name {
            "base" => RoomSlot::Base,
            "assets" => RoomSlot::Assets,
            "code" => RoomSlot::Code,
            "name" => RoomSlot::Name,
            "invite" => RoomSlot::Invite,
            "line_hint" => RoomSlot::LineHint,
            "max_message" => RoomSlot::MaxMessage,
            _ => return None,
        })
    }
}

/// A field of the home page's form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// The name.
    Name,
    /// The room's code.
    Code,
}

/// A sentence above the form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// What to do next, at this field.
    Hint(String, Field),
    /// Why it did not work, and which field would have to change, if one would.
    Error(String, Option<Field>),
}

/// The home page for one visitor.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Home<'a> {
    /// What the name field holds.
    pub name: &'a str,
    /// What the code field holds.
    pub code: &'a str,
    /// What is to be said.
    pub notice: Option<Notice>,
}

/// The room page for one member.
#[derive(Clone, Copy, Debug)]
pub struct RoomPage<'a> {
    /// The room's code.
    pub code: RoomCode,
    /// The member's name.
    pub name: &'a Name,
    /// The URL to give to others.
    pub invite: &'a str,
    /// The command to give to others; empty if there are no terminals.
    pub line_hint: &'a str,
}

impl Pages {
    /// Cuts the templates.
    pub fn new(base_path: &str, code_length: usize, message_bytes: usize) -> Pages {
        Pages {
            home: Template::parse(HOME_TEMPLATE, HomeSlot::named),
            room: Template::parse(ROOM_TEMPLATE, RoomSlot::named),
            base_path: base_path.to_owned(),
            assets_path: format!("{base_path}assets/{ASSETS_HASH}/"),
            code_length: code_length.to_string(),
            max_message: message_bytes.to_string(),
        }
    }

    /// The home page.
    pub fn home(&self, home: &Home<'_>) -> String {
        const DESCRIBED: &str = " aria-describedby=\"reason\" autofocus";
        const INVALID: &str = " aria-invalid=\"true\" aria-describedby=\"reason\" autofocus";
        let attributes = |field: Field| match &home.notice {
            Some(Notice::Hint(_, at)) if *at == field => DESCRIBED,
            Some(Notice::Error(_, Some(at))) if *at == field => INVALID,
            _ => "",
        };
        let notice = home.notice.as_ref().map_or(String::new(), notice_markup);
        let title = match &home.notice {
            Some(Notice::Error(words, _)) => format!("{words} – snug"),
            _ if home.code.is_empty() => "snug".to_owned(),
            _ => format!("Join {} – snug", home.code),
        };
        self.home.render(|slot| match slot {
            HomeSlot::Base => Value::Text(&self.base_path),
            HomeSlot::Assets => Value::Text(&self.assets_path),
            HomeSlot::Title => Value::Text(&title),
            HomeSlot::Heading => Value::Text("snug"),
            HomeSlot::Name => Value::Text(home.name),
            HomeSlot::Code => Value::Text(home.code),
            HomeSlot::CodeLength => Value::Text(&self.code_length),
            HomeSlot::Notice => Value::Markup(&notice),
            HomeSlot::NameAttributes => Value::Markup(attributes(Field::Name)),
            HomeSlot::CodeAttributes => Value::Markup(attributes(Field::Code)),
        })
    }

    /// The room page.
    pub fn room(&self, room: &RoomPage<'_>) -> String {
        self.room.render(|slot| match slot {
            RoomSlot::Base => Value::Text(&self.base_path),
            RoomSlot::Assets => Value::Text(&self.assets_path),
            RoomSlot::Code => Value::Text(room.code.as_str()),
            RoomSlot::Name => Value::Text(room.name.as_str()),
            RoomSlot::Invite => Value::Text(room.invite),
            RoomSlot::LineHint => Value::Text(room.line_hint),
            RoomSlot::MaxMessage => Value::Text(&self.max_message),
        })
    }
}

fn notice_markup(notice: &Notice) -> String {
    let (start, words) = match notice {
        Notice::Hint(words, _) => ("<p class=\"hint\" id=\"reason\">", words),
        Notice::Error(words, _) => ("<p class=\"error\" id=\"reason\" role=\"alert\">", words),
    };
    let mut markup = start.to_owned();
    escape(words, &mut markup);
    markup.push_str("</p>");
    markup
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> Pages {
        Pages::new("/chat/", 5, 4096)
    }

    #[test]
    fn every_hole_is_filled() {
        let home = pages().home(&Home::default());
        let code = RoomCode::parse("KXQT").expect("a code");
        let name = Name::parse("\"><b>ana").expect("a name");
        let room = RoomPage { code, name: &name, invite: "http://a/KXQT", line_hint: "nc a 5001" };
        let room = pages().room(&room);
        for page in [&home, &room] {
            assert!(!page.contains("{{") && !page.contains("}}"), "{page}");
            assert!(page.contains(&format!("\"/chat/assets/{ASSETS_HASH}/base.css\"")), "{page}");
        }
        assert!(home.contains("5 letters") && home.contains("action=\"/chat/\""));
        assert!(!home.contains("id=\"reason\"") && !home.contains("autofocus"));
        assert!(room.contains("&quot;&gt;&lt;b&gt;ana") && !room.contains("<b>ana"));
        assert!(room.contains("4096") && room.contains("http://a/KXQT") && room.contains("nc a 5001"));
    }

    #[test]
    fn an_error_is_said_at_its_field_and_what_was_typed_is_kept() {
        let notice = Some(Notice::Error("\"<i>\" is taken.".into(), Some(Field::Name)));
        let home = pages().home(&Home { name: "<i>\"", code: "kxqt'", notice });
        let said = "<p class=\"error\" id=\"reason\" role=\"alert\">&quot;&lt;i&gt;&quot; is taken.</p>";
        assert!(home.contains(said), "{home}");
        assert!(home.contains("value=\"&lt;i&gt;&quot;\"") && home.contains("value=\"kxqt&#39;\""), "{home}");
        assert_eq!(home.matches(" aria-invalid=\"true\" aria-describedby=\"reason\" autofocus").count(), 1);
    }

    #[test]
    fn a_hint_is_no_error() {
        let notice = Some(Notice::Hint("Give a name to join KXQT.".into(), Field::Name));
        let home = pages().home(&Home { name: "", code: "KXQT", notice });
        assert!(home.contains("<p class=\"hint\" id=\"reason\">Give a name to join KXQT.</p>"), "{home}");
        assert!(home.contains("<title>Join KXQT – snug</title>"), "{home}");
        assert!(!home.contains("aria-invalid"));
    }
}
