use super::*;
use crate::record::PathRecord;

fn all_surfaces() -> impl Iterator<Item = Surface> {
    names().iter().map(|name| find(name).unwrap())
}

fn draw_all() -> impl Iterator<Item = SurfaceRecord> {
    names().iter().map(|name| draw(name, 1).unwrap())
}

/// The path of `name` from `start`.
fn path<'a>(record: &'a SurfaceRecord, name: &str, start: &str) -> &'a PathRecord {
    record.paths.iter().find(|path| path.name == name && path.start == start).unwrap()
}

fn end(path: &PathRecord) -> (Point, f64) {
    (path.points[path.points.len() - 1], path.values[path.values.len() - 1])
}

#[test]
fn gradients_agree_with_central_differences() {
    const H: f64 = 1e-5;
    for surface in all_surfaces() {
        let value = |w| surface.function.value(w);
        let within = |[low, high]: [f64; 2], share: f64| low + share * (high - low);
        for i in 0..100 {
            let w @ [a, b] =
                [within(surface.w1, f64::from(i % 10) / 9.0), within(surface.w2, f64::from(i / 10) / 9.0)];
            let expected = [
                (value([a + H, b]) - value([a - H, b])) / (2.0 * H),
                (value([a, b + H]) - value([a, b - H])) / (2.0 * H),
            ];
            for (ours, expected) in surface.function.gradient(w).into_iter().zip(expected) {
                let error = (ours - expected).abs();
                assert!(error < 1e-6 * expected.abs().max(1.0), "{} at {w:?}: {error}", surface.name);
            }
        }
    }
}

#[test]
fn at_every_minimum_the_gradient_vanishes_and_the_neighbours_lie_higher() {
    for surface in all_surfaces() {
        for &w @ [a, b] in &surface.minima {
            let here = surface.function.value(w);
            assert!(surface.contains(w), "{}: {w:?}", surface.name);
            assert!(surface.function.gradient(w).iter().all(|slope| slope.abs() < 1e-9), "{w:?}");
            for neighbour in [[a + 0.01, b], [a - 0.01, b], [a, b + 0.01], [a, b - 0.01]] {
                assert!(surface.function.value(neighbour) > here, "{}: {w:?}", surface.name);
            }
        }
    }
}

#[test]
fn everything_is_finite_inside_the_frame_and_of_the_promised_size() {
    for record in draw_all() {
        assert_eq!(record.values.len(), GRID * GRID);
        assert!(record.values.iter().all(|value| value.is_finite()));
        for path in &record.paths {
            let place = format!("{}, {} from {}", record.name, path.name, path.start);
            assert!((2..=200).contains(&path.points.len()), "{place}");
            assert_eq!(path.values.len(), path.points.len(), "{place}");
            for ([a, b], value) in path.points.iter().zip(&path.values) {
                assert!((record.w1[0]..=record.w1[1]).contains(a), "{place}: {a}");
                assert!((record.w2[0]..=record.w2[1]).contains(b), "{place}: {b}");
                assert!(value.is_finite(), "{place}");
            }
            assert!(!path.verdict.is_empty());
        }
    }
}

#[test]
fn the_grid_runs_from_the_lower_left_to_the_upper_right() {
    for surface in all_surfaces() {
        let ([left, right], [bottom, top]) = (surface.w1, surface.w2);
        let values = surface.grid();
        let corners = [[left, bottom], [right, bottom], [left, top], [right, top]];
        for (w, at) in corners.into_iter().zip([0, GRID - 1, GRID * (GRID - 1), GRID * GRID - 1]) {
            let error = (values[at] - surface.function.value(w)).abs();
            assert!(error < 1e-12 * values[at], "{} at {w:?}: {error}", surface.name);
        }
    }
}

#[test]
fn all_optimizers_set_out_from_the_same_named_starts() {
    for record in draw_all() {
        for four in record.paths.chunks(4) {
            assert_eq!(["GD", "SGD", "momentum", "Adam"], [0, 1, 2, 3].map(|i| four[i].name.as_str()));
            assert!(four.iter().all(|path| path.start == four[0].start), "{}", record.name);
            assert!(four.iter().all(|path| path.points[0] == four[0].points[0]), "{}", record.name);
        }
    }
}

#[test]
fn every_optimizer_goes_down_the_bowl_and_momentum_and_adam_go_furthest() {
    for seed in 1..=10 {
        let bowl = draw("bowl", seed).unwrap();
        let start = bowl.paths[0].values[0];
        let ends = ["GD", "SGD", "momentum", "Adam"].map(|name| end(path(&bowl, name, "far side")).1);
        assert!(ends.iter().all(|end| *end < 0.05 * start), "seed {seed}: {ends:?} from {start}");
        assert!(ends[2] < 0.1 * ends[0] && ends[3] < 0.1 * ends[0], "seed {seed}: {ends:?}");
    }
}

#[test]
fn beside_the_ridge_gd_stalls_at_the_saddle_and_the_others_leave() {
    for seed in 1..=20 {
        let saddle = draw("saddle", seed).unwrap();
        let gd = path(&saddle, "GD", "beside the ridge");
        assert!(gd.verdict.starts_with("stalls at the saddle (0, 0)"), "{}", gd.verdict);
        for name in ["SGD", "momentum", "Adam"] {
            let ([_, w2], _) = end(path(&saddle, name, "beside the ridge"));
            assert!((w2.abs() - 1.0).abs() < 0.25, "{name}, seed {seed}: w2 = {w2}");
        }
    }
}

#[test]
fn exactly_on_the_ridge_only_noise_leaves_the_saddle() {
    for seed in 1..=20 {
        let saddle = draw("saddle", seed).unwrap();
        for name in ["GD", "momentum", "Adam"] {
            let path = path(&saddle, name, "on the ridge");
            assert!(path.points.iter().all(|w| w[1] == 0.0), "{name}");
            assert!(path.verdict.starts_with("stalls"), "{name} {}", path.verdict);
        }
        let ([_, w2], _) = end(path(&saddle, "SGD", "on the ridge"));
        assert!((w2.abs() - 1.0).abs() < 0.25, "seed {seed}: w2 = {w2}");
    }
}

#[test]
fn start_optimizer_and_noise_decide_which_of_several_minima_is_reached() {
    let minima = find("minima").unwrap();
    let reached = |name, start, seed| {
        let record = draw("minima", seed).unwrap();
        minima.nearest_minimum(end(path(&record, name, start)).0).map(f64::to_bits)
    };
    assert_ne!(reached("Adam", "west", 1), reached("Adam", "hilltop", 1));
    assert_ne!(reached("GD", "west", 1), reached("momentum", "west", 1));
    let by_noise: std::collections::HashSet<_> =
        (1..=10).map(|seed| reached("SGD", "hilltop", seed)).collect();
    assert!(by_noise.len() > 1, "{by_noise:?}");
}

#[test]
fn on_the_neuron_single_samples_lead_down_about_as_far_as_the_whole_set() {
    for seed in 1..=10 {
        let neuron = draw("neuron", seed).unwrap();
        for start in ["zero", "wrong signs"] {
            let [gd, sgd] = ["GD", "SGD"].map(|name| end(path(&neuron, name, start)).1);
            assert!((sgd / gd - 1.0).abs() < 0.1, "seed {seed}, {start}: GD {gd}, SGD {sgd}");
        }
    }
}

/// Kingma and Ba, algorithm 1, written as printed there.
#[test]
fn adams_recorded_moments_and_steps_are_those_of_its_paper() {
    for surface in all_surfaces() {
        let (lr, gradient) = (surface.adam_lr, &surface.function);
        let record = draw(surface.name, 1).unwrap();
        for path in record.paths.iter().filter(|path| path.name == "Adam") {
            let (mut m, mut v) = ([0.0; 2], [0.0; 2]);
            for (t, step) in path.points.windows(2).enumerate() {
                let power = t as i32 + 1;
                let g = gradient.gradient(step[0]);
                for i in 0..2 {
                    m[i] = 0.9 * m[i] + (1.0 - 0.9) * g[i];
                    v[i] = 0.999 * v[i] + (1.0 - 0.999) * g[i] * g[i];
                    let m_hat = m[i] / (1.0 - 0.9_f64.powi(power));
                    let v_hat = v[i] / (1.0 - 0.999_f64.powi(power));
                    let effective = lr / (v_hat.sqrt() + 1e-8);
                    let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1e-6);
                    assert!(near(path.m_hat[t][i], m_hat), "{} m̂ after {power}", surface.name);
                    assert!(near(path.v_hat[t][i], v_hat), "{} v̂ after {power}", surface.name);
                    assert!(near(path.effective_step[t][i], effective), "{} step {power}", surface.name);
                    assert!(near(step[1][i], step[0][i] - effective * m_hat), "{} w {power}", surface.name);
                }
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_record_and_another_seed_moves_sgd_alone() {
    for name in names() {
        let (first, other) = (draw(name, 1).unwrap(), draw(name, 2).unwrap());
        assert_eq!(first, draw(name, 1).unwrap());
        for (a, b) in first.paths.iter().zip(&other.paths) {
            assert_eq!(a.points != b.points, a.name == "SGD", "{name}, {}", a.name);
        }
    }
}

#[test]
fn a_path_that_runs_away_ends_where_it_leaves_the_frame() {
    let surface = Surface { lr: 0.5, ..equations::bowl() }; // stable up to 0.2
    let gd = surface.record(1).paths.swap_remove(0);
    assert_eq!(gd.verdict, "leaves the frame after 1 update");
    assert_eq!(gd.points.len(), 2);
}

#[test]
fn an_unknown_surface_is_refused_with_the_nearest_suggested() {
    let error = draw("sadle", 1).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("did you mean `saddle`?"), "{error}");
}
