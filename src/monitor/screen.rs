//! The terminal, as long as the view has it: who takes it gives it back, on every way.
//!
//! Also when the program panics, before that is reported. A panic in a task is no end of the program; it is not
//! reported meanwhile, for its message would stand in the midst of the picture, and nobody could read it.

use crate::sync::global::Mutex;
use crate::task;
use ratatui::Terminal;
use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::Rect;
use ratatui::prelude::CrosstermBackend;
use std::io::{self, IsTerminal, Stdout, stdin, stdout};
use std::time::Duration;

/// Whether a view has the terminal. The lock is held while something is drawn.
static IS_TAKEN: Mutex<bool> = Mutex::new(false);

/// How long a panic waits for who draws; longer only if that is where it happens.
const DRAWING: Duration = Duration::from_secs(1);

/// The whole of the terminal.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    _taken: Taken,
}

struct Taken;

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

impl Screen {
    /// Takes the terminal, if there is one and nobody else has it.
    pub(super) fn take() -> io::Result<Option<Screen>> {
        if !stdout().is_terminal() || !stdin().is_terminal() {
            return Ok(None);
        }
        if std::mem::replace(&mut *IS_TAKEN.lock(), true) {
            return Ok(None);
        }
        let taken = Taken;
        task::install_hook();
        *task::REPORTER.lock() = Some(is_to_be_told);
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen, Hide)?;
        let terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        Ok(Some(Screen { terminal, _taken: taken }))
    }

    /// Draws; false if the terminal has been given back meanwhile.
    pub(super) fn draw(&mut self, draw: impl FnOnce(Rect, &mut Buffer)) -> io::Result<bool> {
        let is_taken = IS_TAKEN.lock();
        if *is_taken {
            self.terminal.draw(|frame| draw(frame.area(), frame.buffer_mut()))?;
        }
        Ok(*is_taken)
    }
}

fn is_to_be_told(becomes_a_value: bool) -> bool {
    if becomes_a_value && cfg!(panic = "unwind") {
        return false;
    }
    give_back();
    true
}

/// Once for each time that it was taken.
fn give_back() {
    let is_taken = IS_TAKEN.try_lock_for(DRAWING);
    if is_taken.is_some_and(|mut is_taken| !std::mem::replace(&mut *is_taken, false)) {
        return;
    }
    *task::REPORTER.lock() = None;
    // There is nobody to tell that it cannot be done.
    let _ = execute!(stdout(), LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}
