//! Pages as files with holes: `{{name}}` stands for a value.

/// A page, cut at its holes once. `S` says what a hole is for.
#[derive(Debug)]
pub struct Template<S> {
    segments: Vec<Segment<S>>,
}

#[derive(Debug)]
enum Segment<S> {
    Text(&'static str),
    Hole(S),
}

/// A value for a hole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// Text, which is escaped.
    Text(&'a str),
    /// Markup of our own, which is not.
    Markup(&'a str),
}

impl<S: Copy> Template<S> {
    /// Cuts the page. `slot` tells what a name means.
    ///
    /// # Panics
    /// If a hole has no end, or a name no meaning. Pages are part of the program, and its tests read them.
    pub fn parse(page: &'static str, slot: impl Fn(&str) -> Option<S>) -> Template<S> {
        let mut segments = Vec::new();
        let mut rest = page;
        while let Some((text, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").expect("a hole of a page has an end");
            let slot = slot(name).unwrap_or_else(|| panic!("a page has a hole that nothing fills: {name}"));
            segments.extend([Segment::Text(text), Segment::Hole(slot)]);
            rest = after;
        }
        segments.push(Segment::Text(rest));
        Template { segments }
    }

    /// The page with every hole filled.
    pub fn render<'a>(&self, value: impl Fn(S) -> Value<'a>) -> String {
        let mut page = String::new();
        for segment in &self.segments {
            match *segment {
                Segment::Text(text) => page.push_str(text),
                Segment::Hole(slot) => match value(slot) {
                    Value::Text(text) => escape(text, &mut page),
                    Value::Markup(markup) => page.push_str(markup),
                },
            }
        }
        page
    }
}

/// Appends text so that it is text in HTML, between tags as well as in a quoted attribute.
pub fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            character => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn letter(name: &str) -> Option<char> {
        name.chars().next().filter(|_| name.len() == 1)
    }

    #[test]
    fn fills_every_hole() {
        let template = Template::parse("{{a}} and {{b}}{{a}}!", letter);
        let page = template.render(|slot| if slot == 'a' { Value::Text("<1>") } else { Value::Markup("<p>") });
        assert_eq!(page, "&lt;1&gt; and <p>&lt;1&gt;!");
        assert_eq!(Template::parse("", letter).render(|_| Value::Text("")), "");
    }

    #[test]
    #[should_panic = "nothing fills: name"]
    fn a_hole_that_nothing_fills_is_a_mistake() {
        Template::parse("{{name}}", letter);
    }

    proptest! {
        #[test]
        fn escaped_text_holds_no_markup(text: String) {
            let mut escaped = String::new();
            escape(&text, &mut escaped);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            let restored = escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"")
                .replace("&#39;", "'").replace("&amp;", "&");
            prop_assert_eq!(restored, text);
        }
    }
}
