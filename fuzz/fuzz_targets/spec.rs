//! Any text as every kind of choice: what is taken says the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schuss::network::Model;
use schuss::optim::Method;
use schuss::schedule::Schedule;

fuzz_target!(|text: &str| {
    let _ = text.parse::<schuss_data::Source>();
    if let Ok(method) = text.parse::<Method>() {
        assert_eq!(method.to_string().parse::<Method>().unwrap(), method);
    }
    if let Ok(schedule) = text.parse::<Schedule>() {
        assert_eq!(schedule.to_string().parse::<Schedule>().unwrap(), schedule);
    }
    if let Ok(model) = text.parse::<Model>() {
        assert_eq!(model.to_string().parse::<Model>().unwrap(), model);
    }
});
