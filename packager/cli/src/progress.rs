//! What is going on: a spinner on a terminal, plain lines elsewhere. Both go to standard error.

use std::io::IsTerminal;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::build::Stage;
use crate::report::say;

/// The lines of everything that goes on at the same time.
static LINES: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// The line of one package.
pub(crate) struct Line {
    bar: Option<ProgressBar>,
    subject: String,
    start: Instant,
    steps: Mutex<Vec<(String, Instant)>>,
}

impl Line {
    /// Begins.
    pub(crate) fn begin(subject: &str) -> Line {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {prefix}: {msg} ({elapsed})");
            let bar = LINES.add(ProgressBar::new_spinner().with_prefix(subject.to_owned()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar.with_style(style.expect("the template is constant"))
        });
        Line { bar, subject: subject.to_owned(), start: Instant::now(), steps: Mutex::default() }
    }

    /// Says what happens now.
    pub(crate) fn step(&self, what: &str) {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).push((what.to_owned(), Instant::now()));
        match &self.bar {
            Some(bar) => bar.set_message(what.to_owned()),
            None => say!("{}: {what}", self.subject),
        }
    }

    /// The steps so far, with the seconds that each took.
    pub(crate) fn stages(&self) -> Vec<Stage> {
        let steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = steps.iter().skip(1).map(|(_, begin)| *begin).chain([Instant::now()]);
        steps
            .iter()
            .zip(ends)
            .map(|((what, begin), end)| Stage {
                of: self.subject.clone(),
                name: what.clone(),
                seconds: (end - *begin).as_secs_f64(),
            })
            .collect()
    }

    /// Ends with one line that stays.
    pub(crate) fn end(&self, how: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let seconds = self.start.elapsed().as_secs_f64();
        LINES.suspend(|| say!("{}: {how} in {seconds:.1} s", self.subject));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How many of many things are done: a bar on a terminal, nothing elsewhere.
pub(crate) struct Counter(Option<ProgressBar>);

impl Counter {
    /// Begins.
    pub(crate) fn begin(subject: &str) -> Counter {
        Counter(std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix}: {pos}/{len} {wide_msg} ({elapsed})");
            let bar = LINES.add(ProgressBar::new(0).with_prefix(subject.to_owned()));
            bar.with_style(style.expect("the template is constant"))
        }))
    }

    /// One more is done, of so many.
    pub(crate) fn next(&self, what: &str, of: usize) {
        if let Some(bar) = &self.0 {
            bar.set_length(of as u64);
            bar.set_message(what.to_owned());
            bar.inc(1);
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
