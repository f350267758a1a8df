//! What is going on: a spinner on a terminal, plain lines elsewhere. Both go to standard error.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// The line of one package.
pub(crate) struct Line {
    bar: Option<ProgressBar>,
    subject: String,
    start: Instant,
}

impl Line {
    /// Begins.
    pub(crate) fn begin(subject: &str) -> Line {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {prefix}: {msg} ({elapsed})");
            let bar = ProgressBar::new_spinner().with_prefix(subject.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar.with_style(style.expect("the template is constant"))
        });
        Line { bar, subject: subject.to_owned(), start: Instant::now() }
    }

    /// Says what happens now.
    pub(crate) fn step(&self, what: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(what.to_owned()),
            None => eprintln!("{}: {what}", self.subject),
        }
    }

    /// Ends with one line that stays.
    pub(crate) fn end(&self, how: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("{}: {how} in {:.1} s", self.subject, self.start.elapsed().as_secs_f64());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
