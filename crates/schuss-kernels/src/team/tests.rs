use super::*;

#[test]
fn every_part_of_every_job_runs_once() {
    for threads in [1, 2, 3, 7] {
        let mut team = Team::new(threads).unwrap();
        let counts: Vec<AtomicUsize> = (0..team.parts()).map(|_| AtomicUsize::new(0)).collect();
        for round in 0..2_000 {
            if round % 500 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(2)); // lets the other threads fall asleep
            }
            team.run(usize::MAX, |part| {
                counts[part].fetch_add(1, Ordering::Relaxed);
            });
            let equal = counts.iter().all(|count| count.load(Ordering::Relaxed) == round + 1);
            assert!(equal, "{threads} threads, round {round}: {counts:?}");
        }
    }
}

#[test]
fn chunks_cover_a_slice_once_whatever_the_threads() {
    for threads in [1, 2, 5] {
        let mut data = vec![0; 103];
        Team::new(threads).unwrap().for_chunks(usize::MAX, &mut data, 10, |index, chunk| {
            chunk.iter_mut().for_each(|x| *x += index + 1);
        });
        assert!(data.iter().enumerate().all(|(i, &x)| x == i / 10 + 1));
    }
}

#[test]
fn a_panic_in_a_part_reaches_the_caller_and_the_team_lives_on() {
    let mut team = Team::new(2).unwrap();
    let crash = catch_unwind(AssertUnwindSafe(|| team.run(usize::MAX, |part| assert_eq!(part, 0))));
    assert!(crash.is_err());
    let count = AtomicUsize::new(0);
    team.run(usize::MAX, |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(count.load(Ordering::Relaxed), team.parts());
}
