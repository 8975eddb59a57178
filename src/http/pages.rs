//! The pages, with the values of one request filled in: home, room, and what a browser with too many cookies is shown.

use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::assets::{ASSETS_HASH, text_of};
use super::request::MAX_HEAD_BYTES;
use crate::rooms::{Name, RoomCode};

/// No page tells others where its links stand.
pub const REFERRER_POLICY: (&str, &str) = ("Referrer-Policy", "no-referrer");

/// Only scripts from this server, no requests to other servers, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; \
                      manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
                      connect-src 'self'";

/// Header fields of the pages, but for those of rooms.
pub const PAGE_FIELDS: [(&str, &str); 2] = [("Content-Security-Policy", POLICY), REFERRER_POLICY];

/// The Content-Security-Policy of a room's page, which opens a WebSocket at one of these hosts. To Safari before version
/// 16 a WebSocket is no `'self'`, so they are named.
pub fn room_policy<'a>(hosts: impl Iterator<Item = &'a str>) -> String {
    hosts
        .filter(|host| is_policy_host(host))
        .fold(POLICY.to_owned(), |policy, host| format!("{policy} ws://{host} wss://{host}"))
}

/// Whether a policy can name this host with its port, if it has one. It cannot name IPv6 addresses.
fn is_policy_host(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte))
}

/// Makes the pages. It holds the values that are the same for every request.
#[derive(Debug)]
pub struct Pages {
    base_path: String,
    assets_path: String,
    code_length: usize,
    max_message: usize,
}

/// What `assets/home.html` is filled in with. Everything is escaped.
#[derive(Template)]
#[template(path = "home.html")]
struct HomeTemplate<'a> {
    base: &'a str,
    assets: &'a str,
    title: &'a str,
    hint: Option<&'a str>,
    error: Option<&'a str>,
    error_code: Option<&'a str>,
    points_at_none: bool,
    joins: bool,
    points_at_name: bool,
    points_at_code: bool,
    points_at_password: bool,
    asks_password: bool,
    points_at_key: bool,
    wants_key: bool,
    is_invited: bool,
    name: &'a str,
    code: &'a str,
    code_length: usize,
}

/// What `assets/room.html` is filled in with. Everything is escaped.
#[derive(Template)]
#[template(path = "room.html")]
struct RoomTemplate<'a> {
    base: &'a str,
    assets: &'a str,
    code: &'a str,
    name: &'a str,
    invite: &'a str,
    line_hint: &'a str,
    max_message: usize,
}

/// What `assets/head_too_long.html` is filled in with. Everything but the style is escaped.
#[derive(Template)]
#[template(path = "head_too_long.html")]
struct HeadTooLongTemplate<'a> {
    style: &'a str,
    limit_kib: usize,
}

/// A page that brings its style along, since the browser could not get it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StyledPage {
    /// The page.
    pub html: String,
    /// Its Content-Security-Policy, which allows that style and nothing else.
    pub policy: String,
}

/// A field of the home page's form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// The name.
    Name,
    /// The room's code.
    Code,
    /// The password of the name's account.
    Password,
    /// The room's key.
    Key,
}

/// A sentence that is shown above the form, or beside the field that it is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// What to do next, and the field to do it in.
    Hint(String, Field),
    /// Why the request was refused, the field to correct, if there is one, and the code of it, by which the page finds
    /// the words of another language.
    Error(String, Option<Field>, &'static str),
}

/// The home page for one browser.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Home<'a> {
    /// What the name field holds.
    pub name: &'a str,
    /// What the code field holds.
    pub code: &'a str,
    /// The name needs a password, so there is a field for it.
    pub asks_password: bool,
    /// What there is to say, if anything.
    pub notice: Option<Notice>,
    /// There is a field for the room's key. What is typed there is never sent back.
    pub wants_key: bool,
    /// The code came with a link: only what else is needed is asked for.
    pub is_invited: bool,
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
    /// The pages of a site under this path, with these limits.
    pub fn new(base_path: &str, code_length: usize, message_bytes: usize) -> Pages {
        Pages {
            base_path: base_path.to_owned(),
            assets_path: format!("{base_path}assets/{ASSETS_HASH}/"),
            code_length,
            max_message: message_bytes,
        }
    }

    /// The home page.
    pub fn home(&self, home: &Home<'_>) -> String {
        let (hint, error, field, error_code) = match &home.notice {
            Some(Notice::Hint(words, field)) => (Some(words.as_str()), None, Some(*field), None),
            Some(Notice::Error(words, field, code)) => (None, Some(words.as_str()), *field, Some(*code)),
            None => (None, None, None, None),
        };
        let title = match error {
            Some(words) => format!("{words} – snug"),
            None if home.code.is_empty() => "snug".to_owned(),
            None => format!("Join {} – snug", home.code),
        };
        fill_in(&HomeTemplate {
            base: &self.base_path,
            assets: &self.assets_path,
            title: &title,
            hint,
            error,
            error_code,
            points_at_none: field.is_none(),
            joins: error.is_none() && !home.code.is_empty(),
            points_at_name: field == Some(Field::Name),
            points_at_code: field == Some(Field::Code),
            points_at_password: field == Some(Field::Password),
            asks_password: home.asks_password,
            points_at_key: field == Some(Field::Key),
            wants_key: home.wants_key,
            // What is wrong with the code is to be mended.
            is_invited: home.is_invited && field != Some(Field::Code),
            name: home.name,
            code: home.code,
            code_length: self.code_length,
        })
    }

    /// What a browser is shown whose cookies are too many to be read.
    pub fn head_too_long(&self) -> StyledPage {
        let style = text_of("base.css") + &text_of("home.css");
        let hash = BASE64_STANDARD.encode(Sha256::digest(&style));
        let limit_kib = MAX_HEAD_BYTES / 1024;
        StyledPage {
            html: fill_in(&HeadTooLongTemplate { style: &style, limit_kib }),
            policy: format!(
                "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
            ),
        }
    }

    /// The room page.
    pub fn room(&self, room: &RoomPage<'_>) -> String {
        fill_in(&RoomTemplate {
            base: &self.base_path,
            assets: &self.assets_path,
            code: room.code.as_str(),
            name: room.name.as_str(),
            invite: room.invite,
            line_hint: room.line_hint,
            max_message: self.max_message,
        })
    }
}

fn fill_in(template: &impl Template) -> String {
    template.render().expect("writing to a string does not fail")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            assert!(!page.contains("{{") && !page.contains("{%"), "{page}");
            assert!(page.contains(&format!("\"/chat/assets/{ASSETS_HASH}/base.css\"")), "{page}");
        }
        assert!(home.contains("5 letters") && home.contains("action=\"/chat/\""));
        assert!(!home.contains("id=\"reason\"") && !home.contains("autofocus"));
        assert!(room.contains("&#34;&#62;&#60;b&#62;ana") && !room.contains("<b>ana"));
        assert!(room.contains("4096") && room.contains("http://a/KXQT") && room.contains("nc a 5001"));
    }

    #[test]
    fn an_error_is_said_at_its_field_and_what_was_typed_is_kept() {
        let notice = Some(Notice::Error("\"<i>\" is taken.".into(), Some(Field::Name), "name_taken"));
        let home = pages().home(&Home { name: "<i>\"", code: "kxqt'", notice, ..Home::default() });
        let said = "<p class=\"error\" id=\"reason\" role=\"alert\" data-error=\"name_taken\">&#34;&#60;i&#62;&#34; is taken.</p>";
        assert!(home.contains(said), "{home}");
        assert!(home.contains("value=\"&#60;i&#62;&#34;\"") && home.contains("value=\"kxqt&#39;\""), "{home}");
        assert_eq!(home.matches(" aria-invalid=\"true\" aria-describedby=\"reason\" autofocus").count(), 1);
    }

    #[test]
    fn the_page_about_cookies_needs_no_other_file() {
        let StyledPage { html, policy } = pages().head_too_long();
        assert!(html.contains("more than 32 KiB of cookies"), "{html}");
        assert!(!html.contains("assets/") && !html.contains("{{"), "{html}");
        let (_, rest) = html.split_once("<style>").expect("a style");
        let (style, _) = rest.split_once("</style>").expect("its end");
        assert!(style.contains("--log") && style.contains("min-height: 100dvh"), "{style}");
        let hash = BASE64_STANDARD.encode(Sha256::digest(style));
        assert!(policy.contains(&format!("style-src 'sha256-{hash}';")), "{policy}");
    }

    #[test]
    fn a_password_is_asked_for_where_one_is_needed() {
        let asked = |asks_password, field| {
            let notice = Some(Notice::Error("It needs its password.".into(), field, "password_required"));
            pages().home(&Home { name: "ana", code: "KXQT", asks_password, notice, ..Home::default() })
        };
        let beside = asked(true, Some(Field::Password));
        let (_, after) = beside.split_once("<input id=\"password\"").expect("the field");
        let (_, after) = after.split_once('>').expect("its end");
        assert!(after.trim_start().starts_with("<p class=\"error\" id=\"reason\""), "the reason is beside it: {after}");
        let page = asked(true, Some(Field::Password));
        let (_, field) = page.split_once("<input id=\"password\"").expect("the field");
        let (field, _) = field.split_once('>').expect("its end");
        assert!(field.contains("type=\"password\"") && field.contains("autocomplete=\"current-password\""), "{field}");
        assert!(field.contains("aria-describedby=\"reason\" autofocus") && !field.contains("value="), "{field}");
        assert!(page.contains("autocomplete=\"username\""), "{page}");
        let page = asked(false, None);
        assert!(!page.contains("password\"") && page.contains("autocomplete=\"nickname\""), "{page}");
    }

    #[test]
    fn a_hint_is_no_error() {
        let notice = Some(Notice::Hint("Give a name to join KXQT.".into(), Field::Name));
        let home = pages().home(&Home { name: "", code: "KXQT", notice, ..Home::default() });
        let named = |key| format!(" data-words=\"home.{key}\" data-words-value=\"KXQT\">");
        let hint = format!("<p class=\"hint\" id=\"reason\"{}Give a name to join KXQT.</p>", named("giveName"));
        assert!(home.contains(&hint), "{home}");
        assert!(home.contains(&format!("<title{}Join KXQT – snug</title>", named("title"))), "{home}");
        assert!(!home.contains("aria-invalid"));
    }

    #[test]
    fn there_is_a_field_for_a_key_only_where_one_is_wanted() {
        assert!(!pages().home(&Home::default()).contains("name=\"key\""));
        let notice = Some(Notice::Error("Room KXQT has a key.".into(), Some(Field::Key), "key_required"));
        let home = pages().home(&Home { name: "ana", code: "KXQT", notice, wants_key: true, ..Home::default() });
        let field = "<input id=\"key\" name=\"key\" type=\"password\" autocomplete=\"off\" maxlength=\"256\" \
             aria-invalid=\"true\" aria-describedby=\"reason\" autofocus>";
        assert!(home.contains("<label for=\"key\">") && home.contains(field), "{home}");
        assert_eq!(home.matches("autofocus").count(), 1);
    }

    proptest! {
        #[test]
        fn what_was_typed_is_no_markup(text: String) {
            let home = pages().home(&Home { name: &text, ..Home::default() });
            let (_, value) = home.split_once("name=\"name\" value=\"").expect("the field");
            let (escaped, _) = value.split_once("\" autocomplete").expect("its end");
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            let restored = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")]
                .into_iter()
                .fold(escaped.to_owned(), |text, (entity, character)| text.replace(entity, character));
            prop_assert_eq!(restored, text);
        }
    }
}
