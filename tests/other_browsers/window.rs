//! A window of any browser: the few things that each one's driver is told, and all that is made of them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::eventually;

/// One window of a person who shares nothing with others.
pub trait Window {
    // ---- what a driver does

    /// Goes to a page, and waits until it is there.
    fn navigate(&self, url: &str);

    /// Loads the page again, and waits until it is there.
    fn reload(&self);

    /// What an expression is on the page now, as JSON; null while the page is changing.
    fn evaluate(&self, expression: &str) -> Value;

    /// Presses keys and buttons as the sequences of a WebDriver's "Perform Actions" tell.
    fn perform(&self, actions: Value);

    /// Chooses a file, as in the window that a file field opens.
    fn choose_file(&self, selector: &str, path: &Path);

    fn resize(&self, width: u32, height: u32);

    /// What the page shows, as a PNG file.
    fn picture(&self) -> Vec<u8>;

    /// Errors and warnings of the pages so far.
    fn complaints(&self) -> Vec<String>;

    /// What the browser is called in the names of pictures.
    fn browser(&self) -> &'static str;

    // ---- looking

    /// Waits until an expression is true on the page.
    #[track_caller]
    fn wait_for(&self, expression: &str) {
        self.eventually(expression, &mut || (self.evaluate(expression) == true).then_some(Value::Null));
    }

    /// Asks again and again until there is an answer. Without one it fails, and tells what the page is instead.
    #[track_caller]
    fn eventually(&self, what: &str, ask: &mut dyn FnMut() -> Option<Value>) -> Value {
        catch_unwind(AssertUnwindSafe(|| eventually(what, ask))).unwrap_or_else(|panic| {
            eprintln!("the page is: {}", self.evaluate("location.href + ' ' + document.body?.innerText"));
            eprintln!("the keyboard is at: {}", self.evaluate("document.activeElement?.outerHTML.slice(0, 200)"));
            eprintln!("it complained: {:?}", self.complaints());
            self.photograph("failed");
            resume_unwind(panic)
        })
    }

    /// The text that an expression is.
    fn text_of(&self, expression: &str) -> String {
        let text = self.eventually(expression, &mut || Some(self.evaluate(expression)).filter(Value::is_string));
        text.as_str().map(str::to_owned).expect("only texts come here")
    }

    fn value(&self, selector: &str) -> String {
        self.text_of(&format!("document.querySelector({selector:?})?.value"))
    }

    /// Leaves a picture of the page in the folder that is named for them, if one is.
    fn photograph(&self, name: &str) {
        if let Some(folder) = std::env::var_os("SCREENSHOTS").map(PathBuf::from) {
            std::fs::create_dir_all(&folder).expect("the folder for pictures can be made");
            let path = folder.join(format!("{}-{name}.png", self.browser()));
            std::fs::write(path, self.picture()).expect("pictures can be written there");
        }
    }

    // ---- doing

    /// Clicks in the middle of an element, once nothing else covers it. It has to be there twice: what is still moving is
    /// missed.
    #[track_caller]
    fn click(&self, selector: &str) {
        let find = format!(
            "(() => {{
                const element = document.querySelector({selector:?});
                element.scrollIntoView({{ block: 'nearest', behavior: 'instant' }});
                const {{ x, y, width, height }} = element.getBoundingClientRect();
                const middle = [Math.round(x + width / 2), Math.round(y + height / 2)];
                return !element.disabled && element.contains(document.elementFromPoint(...middle)) ? middle : null;
            }})()"
        );
        let mut last = Value::Null;
        let middle = self.eventually(&format!("{selector} can be clicked"), &mut || {
            let middle = self.evaluate(&find);
            let before = std::mem::replace(&mut last, middle.clone());
            (before == middle && middle.is_array()).then_some(middle)
        });
        self.perform(json!([{
            "type": "pointer",
            "id": "mouse",
            "parameters": {"pointerType": "mouse"},
            "actions": [
                {"type": "pointerMove", "x": middle[0], "y": middle[1], "duration": 0},
                {"type": "pointerDown", "button": 0},
                {"type": "pointerUp", "button": 0},
            ],
        }]));
    }

    /// Types letter by letter where the cursor is.
    fn type_text(&self, text: &str) {
        let mut actions = Vec::new();
        for letter in text.chars() {
            for kind in ["keyDown", "keyUp"] {
                actions.push(json!({"type": kind, "value": letter}));
            }
        }
        self.perform(json!([{"type": "key", "id": "keyboard", "actions": actions}]));
    }

    /// Presses a key that has a name.
    fn press(&self, key: &str) {
        self.type_text(match key {
            "Tab" => "\u{E004}",
            "Enter" => "\u{E007}",
            "Escape" => "\u{E00C}",
            "ArrowUp" => "\u{E013}",
            "ArrowDown" => "\u{E015}",
            "Delete" => "\u{E017}",
            _ => panic!("{key} is not known here"),
        });
    }

    /// Types a text in place of what a field holds.
    #[track_caller]
    fn fill(&self, selector: &str, text: &str) {
        self.click(selector);
        self.evaluate(&format!("document.querySelector({selector:?}).select()"));
        self.type_text(text);
        self.wait_for(&format!("document.querySelector({selector:?}).value === {}", json!(text)));
    }

    /// Puts a text where the cursor is, as a pasted one.
    fn insert(&self, text: &str) {
        self.evaluate(&format!("document.execCommand('insertText', false, {})", json!(text)));
    }
}
