//! Ctrl-C and TERM: the first signal stops the trial and saves the results so far, the second ends the process.

use schuss::session::Control;
use schuss::{Error, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Offset added to the signal number to form the exit code, as in shells.
const BY_SIGNAL: i32 = 128;

/// Installs handlers for both signals that stop `control`.
pub(crate) fn listen(control: &Control) -> Result<()> {
    let again = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let registered = flag::register_conditional_shutdown(signal, BY_SIGNAL + signal, Arc::clone(&again))
            .and_then(|_| flag::register(signal, Arc::clone(&again)))
            .and_then(|_| flag::register_usize(signal, control.signal(), signal.unsigned_abs() as usize));
        registered.map_err(|error| {
            Error::failure(format!("cannot install signal handlers: {}", schuss_data::text::plain_io(&error)))
        })?;
    }
    Ok(())
}

/// Returns 130 after Ctrl-C or the time limit, 143 after TERM.
pub(crate) fn exit_code(control: &Control) -> u8 {
    let signal = control.signal().load(Ordering::Relaxed);
    u8::try_from(signal).ok().and_then(|signal| signal.checked_add(BY_SIGNAL as u8)).unwrap_or(130)
}
