//! Engine on a graphics card, through wgpu: Vulkan, Metal or DirectX 12.
//!
//! # Example
//! ```
//! use schuss::Trial;
//! use schuss::session::{Limits, Session};
//! use schuss_gpu::{Adapter, Gpu};
//!
//! # fn main() -> schuss::Result<()> {
//! let data = schuss::data::load("digits:train=300,test=60,size=8")?;
//! let trial = Trial { model: "64-20-10".parse()?, ..Trial::default() };
//! let Some(adapter) = Adapter::all().into_iter().next() else { return Ok(()) };
//! let limits = Limits::default();
//! let gpu = Gpu::new(&trial, &data, limits, &adapter)?;
//! let mut session = Session::with_engine(Box::new(gpu), None, &trial, &data, limits)?;
//! session.run()?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod adapter;
mod buffers;
mod chunk;
mod device;
mod engine;
mod evaluate;
mod maker;
mod mirror;
mod places;
mod program;
mod register;
mod shader;
mod support;
pub mod trace;
mod updates;

pub use adapter::Adapter;
pub use engine::Gpu;
pub use register::register;
