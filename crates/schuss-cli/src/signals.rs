//! Ctrl-C and TERM: the first one ends the trial and saves what is known, the second one ends the process.

use schuss::session::Control;
use schuss::{Error, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of a process ended by a signal, as shells count.
const BY_SIGNAL: i32 = 128;

/// Lets both signals stop `control`.
pub(crate) fn listen(control: &Control) -> Result<()> {
    let again = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let registered = flag::register_conditional_shutdown(signal, BY_SIGNAL + signal, Arc::clone(&again))
            .and_then(|_| flag::register(signal, Arc::clone(&again)))
            .and_then(|_| flag::register_usize(signal, control.signal(), signal.unsigned_abs() as usize));
        registered.map_err(|error| {
            Error::failure(format!("signals cannot be listened to: {}", schuss_data::text::plain_io(&error)))
        })?;
    }
    Ok(())
}

/// 130 after Ctrl-C, 143 after TERM.
pub(crate) fn exit_code(control: &Control) -> u8 {
    u8::try_from(BY_SIGNAL as usize + control.signal().load(Ordering::Relaxed)).unwrap_or(130)
}
