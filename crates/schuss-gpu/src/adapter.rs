//! Adapters: the graphics cards that drivers offer.

use schuss::{Cause, Error, Result};
use std::fmt;
use wgpu::{Backends, DeviceType, Instance, InstanceDescriptor, InstanceFlags};

/// A graphics card with one of its drivers.
///
/// # Example
/// ```
/// for adapter in schuss_gpu::Adapter::all() {
///     println!("{adapter}");
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Adapter {
    pub(crate) inner: wgpu::Adapter,
    info: wgpu::AdapterInfo,
}

impl Adapter {
    /// Lists all adapters, the fastest kind first.
    pub fn all() -> Vec<Self> {
        let mut options = InstanceDescriptor::new_without_display_handle();
        options.flags = InstanceFlags::empty();
        let found = pollster::block_on(Instance::new(options).enumerate_adapters(Backends::PRIMARY));
        let mut adapters: Vec<Self> =
            found.into_iter().map(|inner| Self { info: inner.get_info(), inner }).collect();
        adapters.sort_by_key(Self::rank);
        adapters
    }

    /// Returns the adapter whose name or driver contains `name`, in upper or lower case; without a name the fastest kind
    /// of card, but no program that only imitates one.
    ///
    /// # Errors
    /// A usage error that lists the adapters if there is none, or if several different ones have such a name.
    pub fn find(name: Option<&str>) -> Result<Self> {
        let all = Self::all();
        let fits = |adapter: &&Self| match name {
            Some(name) => adapter.matches(name),
            None => !adapter.is_software(),
        };
        let fitting: Vec<&Self> = all.iter().filter(fits).collect();
        match fitting.as_slice() {
            [] => Err(none_found(name, &all)),
            [first, rest @ ..] if name.is_none() || rest.iter().all(|other| other.name() == first.name()) => {
                Ok((*first).clone())
            }
            several => Err(Error::usage(format!("several graphics cards fit: {}", list(several)))
                .because(Cause::Mismatch)
                .advise("more of the name")),
        }
    }

    /// Name of the card, as its driver gives it.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// Name and version of the driver.
    pub fn driver(&self) -> String {
        [&self.info.driver, &self.info.driver_info].map(|part| part.trim()).join(" ").trim().to_owned()
    }

    /// Interface that the driver offers: `vulkan`, `metal` or `dx12`.
    pub fn interface(&self) -> &'static str {
        self.info.backend.to_str()
    }

    /// Kind of card: `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub fn kind(&self) -> &'static str {
        match self.info.device_type {
            DeviceType::DiscreteGpu => "discrete",
            DeviceType::IntegratedGpu => "integrated",
            DeviceType::VirtualGpu => "virtual",
            DeviceType::Cpu => "software",
            DeviceType::Other => "other",
        }
    }

    /// True for a program that imitates a card on the processor cores.
    pub fn is_software(&self) -> bool {
        self.info.device_type == DeviceType::Cpu
    }

    /// Largest number of bytes of a tensor, or of a data set kept on the card.
    pub fn largest_buffer(&self) -> u64 {
        let limits = self.inner.limits();
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
    }

    /// Name of the arithmetic, which together with the trial fixes every bit: it names card and driver.
    pub fn arithmetic(&self) -> String {
        format!("{ARITHMETIC} {} {} {}", self.interface(), self.name(), self.driver())
    }

    fn matches(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        [self.name(), &self.driver()].iter().any(|own| own.to_lowercase().contains(&name))
    }

    fn rank(&self) -> usize {
        match self.info.device_type {
            DeviceType::DiscreteGpu => 0,
            DeviceType::VirtualGpu => 1,
            DeviceType::IntegratedGpu => 2,
            DeviceType::Other => 3,
            DeviceType::Cpu => 4,
        }
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {}, {})", self.name(), self.kind(), self.interface(), self.driver())
    }
}

/// Name of the order of sums in the shaders; it changes whenever a bit of a result may change.
const ARITHMETIC: &str = "wgsl-1";

fn none_found(name: Option<&str>, all: &[Adapter]) -> Error {
    let all: Vec<&Adapter> = all.iter().collect();
    let error = match name {
        _ if all.is_empty() => Error::usage("no driver offers a graphics card"),
        Some(name) => Error::usage(format!("no graphics card is called `{name}`; there are {}", list(&all))),
        None => Error::usage(format!("no graphics card is found, only {}", list(&all))),
    };
    error.because(Cause::Mismatch).advise("--device cpu")
}

fn list(adapters: &[&Adapter]) -> String {
    let names: Vec<&str> = adapters.iter().map(|adapter| adapter.name()).collect();
    names.join(", ")
}
