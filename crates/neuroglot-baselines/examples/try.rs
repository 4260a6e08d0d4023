use neuroglot_baselines::*;
use neuroglot_data::*;
use neuroglot_eval::*;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let rate: f64 = args[2].parse().unwrap();
    let s = Session::read(&args[1]).unwrap();
    let (s, _) = Filter { min_rate: rate, ..Filter::default() }.apply(&s).unwrap();
    let s = if std::env::var("SWAP").is_ok() { s } else { s };
    for name in &args[3..] {
        let b: Baseline = name.parse().unwrap();
        let mut o = EvaluationOptions::default();
        if let Ok(t) = std::env::var("TASKS") {
            o.selection = TaskSelection::parse(t.split(','), &[]).unwrap();
        }
        let t = std::time::Instant::now();
        let mut last = String::new();
        let (e, c) = evaluate_with_choices(b, std::slice::from_ref(&s), &o, &mut |p| {
            if p.task != last {
                eprintln!("{} {:?}", p.task, t.elapsed());
                last = p.task.to_owned();
            }
        })
        .unwrap();
        println!("== {name} {:?}", t.elapsed());
        for r in &e.sessions[0].tasks {
            println!("{:14} {:?} pooled {:?}", r.task, r.scores.bps, r.scores.bps_pooled);
        }
        for r in &e.sessions[0].decoding {
            println!("{:?}", r);
        }
        for r in &c {
            println!("   {} {}", r.what, r.settings);
        }
    }
}
