//! Runs shaders of tests on any adapter, mostly a program that imitates a card.

use crate::trace::HELPERS;
use pollster::block_on;
use std::io::Write;
use wgpu::util::{BufferInitDescriptor, DeviceExt};
use wgpu::{
    Backends, BindGroup, BindGroupDescriptor, BindGroupEntry, BindGroupLayout, BindGroupLayoutDescriptor,
    BindGroupLayoutEntry, BindingType, Buffer, BufferBindingType, BufferDescriptor, BufferUsages,
    ComputePipeline, ComputePipelineDescriptor, Device, DeviceDescriptor, Instance, InstanceDescriptor,
    MapMode, PipelineLayoutDescriptor, PollType, Queue, ShaderModuleDescriptor, ShaderSource, ShaderStages,
};

/// Buffers of a shader, all of f32 and writable: bindings 0, 1, 2 and 3 of group 0.
pub(super) type Buffers = [Vec<f32>; 4];

/// Declarations of [`Buffers`] in WGSL.
const BINDINGS: &str = "
@group(0) @binding(0) var<storage, read_write> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@group(0) @binding(3) var<storage, read_write> d: array<f32>;
";

/// Invocations of a workgroup.
pub(super) const GROUP: usize = 64;

pub(super) struct Card {
    device: Device,
    queue: Queue,
    bindings: BindGroupLayout,
}

impl Card {
    /// Returns the first adapter. Where there is none, the test `name` is said to be skipped, also if its output is
    /// captured.
    pub(super) fn find(name: &str) -> Option<Self> {
        let instance = Instance::new(InstanceDescriptor::new_without_display_handle());
        let Some(adapter) = block_on(instance.enumerate_adapters(Backends::PRIMARY)).into_iter().next()
        else {
            writeln!(std::io::stderr(), "SKIPPED {name}: no driver offers a graphics card").unwrap();
            return None;
        };
        let request = DeviceDescriptor { required_limits: adapter.limits(), ..DeviceDescriptor::default() };
        let (device, queue) = block_on(adapter.request_device(&request)).unwrap();
        let entries = [0, 1, 2, 3].map(writable);
        let bindings =
            device.create_bind_group_layout(&BindGroupLayoutDescriptor { label: None, entries: &entries });
        Some(Self { device, queue, bindings })
    }

    /// Runs `main` of a shader, which may use [`HELPERS`], in so many groups, and returns the buffers `a` to `d`.
    pub(super) fn run(&self, text: &str, buffers: Buffers, groups: usize) -> Buffers {
        let pipeline = self.pipeline(format!("{BINDINGS}{HELPERS}{text}"));
        let bound = buffers.each_ref().map(|numbers| self.upload(numbers));
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &self.bind(&bound), &[]);
        pass.dispatch_workgroups(groups as u32, 1, 1);
        drop(pass);
        self.queue.submit([encoder.finish()]);
        std::array::from_fn(|at| self.download(&bound[at], buffers[at].len()))
    }

    fn pipeline(&self, text: String) -> ComputePipeline {
        let source = ShaderSource::Wgsl(text.into());
        let module = self.device.create_shader_module(ShaderModuleDescriptor { label: None, source });
        let layout = self.device.create_pipeline_layout(&PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&self.bindings)],
            immediate_size: 0,
        });
        self.device.create_compute_pipeline(&ComputePipelineDescriptor {
            label: None,
            layout: Some(&layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        })
    }

    fn bind(&self, buffers: &[Buffer; 4]) -> BindGroup {
        let entries: [BindGroupEntry; 4] = std::array::from_fn(|at| BindGroupEntry {
            binding: at as u32,
            resource: buffers[at].as_entire_binding(),
        });
        let layout = &self.bindings;
        self.device.create_bind_group(&BindGroupDescriptor { label: None, layout, entries: &entries })
    }

    fn upload(&self, numbers: &[f32]) -> Buffer {
        let bytes: Vec<u8> = numbers.iter().chain([&0.0]).flat_map(|x| x.to_le_bytes()).collect();
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC;
        self.device.create_buffer_init(&BufferInitDescriptor { label: None, contents: &bytes, usage })
    }

    fn download(&self, buffer: &Buffer, len: usize) -> Vec<f32> {
        let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let size = buffer.size();
        let room = self.device.create_buffer(&BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &room, 0, size);
        self.queue.submit([encoder.finish()]);
        room.map_async(MapMode::Read, .., |result| result.unwrap());
        self.device.poll(PollType::Wait { submission_index: None, timeout: None }).unwrap();
        let bytes = room.get_mapped_range(..).unwrap();
        bytes.chunks_exact(4).take(len).map(|x| f32::from_le_bytes(x.try_into().unwrap())).collect()
    }
}

/// Returns the layout of a buffer that a shader may write.
fn writable(binding: u32) -> BindGroupLayoutEntry {
    let ty = BindingType::Buffer {
        ty: BufferBindingType::Storage { read_only: false },
        has_dynamic_offset: false,
        min_binding_size: None,
    };
    BindGroupLayoutEntry { binding, visibility: ShaderStages::COMPUTE, ty, count: None }
}
