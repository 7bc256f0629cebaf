//! Owns how amounts are put into words: durations, sizes, counts. Never shows anything itself.

use crate::model::goal::Gate;

/// Says how long something took, in its two largest units: `420 ms`, `8.4 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`.
pub fn duration(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => format!("{ms} ms"),
        1..60 => format!("{}.{} s", s, ms % 1000 / 100),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3600),
    }
}

/// Says how long something may take, without the smaller unit where there is none of it: `90 s`, `30 min`, `2 h`.
pub fn limit(s: u64) -> String {
    match s {
        0..120 => format!("{s} s"),
        _ if s.is_multiple_of(3600) && s < 86_400 => format!("{} h", s / 3600),
        _ if s.is_multiple_of(60) && s < 3600 => format!("{} min", s / 60),
        _ => duration(s.saturating_mul(1000)),
    }
}

/// Says how long something is expected to take, no finer than is honest: `8 s`, `3 min`, `2 h 10 min`.
pub fn about(ms: u64) -> String {
    let s = ms.div_ceil(1000);
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min", (s + 30) / 60),
        _ => duration(s.div_ceil(60) * 60_000),
    }
}

/// Says how large something is: `512 B`, `3.4 KiB`.
pub fn size(bytes: u64) -> String {
    let mut whole = bytes;
    let mut tenth = 0;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if whole < 1024 {
            return if unit == "B" { format!("{whole} B") } else { format!("{whole}.{tenth} {unit}") };
        }
        tenth = whole % 1024 * 10 / 1024;
        whole /= 1024;
    }
    format!("{whole}.{tenth} PiB")
}

/// Begins a sentence with a fragment.
pub fn sentence(fragment: &str) -> String {
    let mut chars = fragment.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Says how many: `1 task`, `3 tasks`, `2 branches`.
pub fn count(n: usize, one: &str) -> String {
    let is_sibilant = ["s", "x", "ch", "sh"].iter().any(|end| one.ends_with(end));
    match (n, is_sibilant) {
        (1, _) => format!("1 {one}"),
        (_, true) => format!("{n} {one}es"),
        (_, false) => format!("{n} {one}s"),
    }
}

/// Says at which minute of which day something is, in UTC: `03-14 15:09 UTC`.
pub fn moment(at_ms: i64) -> String {
    let minutes = at_ms.div_euclid(60_000);
    // Days since 0000-03-01, so that a leap day is the last of its year.
    let days = minutes.div_euclid(1440) + 719_468;
    let day_of_era = days.rem_euclid(146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let minute = minutes.rem_euclid(1440);
    format!("{month:02}-{day:02} {:02}:{:02} UTC", minute / 60, minute % 60)
}

/// Names a gate as the command line takes it.
pub fn gate(gate: Gate) -> &'static str {
    match gate {
        Gate::Plan => "plan",
        Gate::Sweep => "sweep",
        Gate::Spend => "spend",
        Gate::Landing => "landing",
        Gate::Delivery => "delivery",
    }
}

/// Gives the time from one moment to another; never negative, though clocks may be turned back.
pub fn between_ms(from_ms: i64, to_ms: i64) -> u64 {
    u64::try_from(to_ms.saturating_sub(from_ms)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_their_two_largest_units() {
        for (ms, want) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (8_430, "8.4 s"),
            (185_000, "3 min 05 s"),
            (7_800_000, "2 h 10 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(duration(ms), want);
        }
        for (s, want) in [(90, "90 s"), (1800, "30 min"), (7200, "2 h"), (5400, "1 h 30 min"), (150, "2 min 30 s")] {
            assert_eq!(limit(s), want);
        }
        assert_eq!(about(179_000), "3 min");
        assert_eq!(about(1), "1 s");
    }

    #[test]
    fn a_sentence_begins_with_a_capital() {
        let of = ["work goes on", "éclair", "2 tasks wait", ""];
        assert_eq!(of.map(sentence), ["Work goes on", "Éclair", "2 tasks wait", ""]);
    }

    #[test]
    fn a_moment_is_said_to_the_minute() {
        for (ms, want) in [
            (0, "01-01 00:00 UTC"),
            (1_773_500_966_000, "03-14 15:09 UTC"),
            (1_709_164_800_000, "02-29 00:00 UTC"),
            (1_798_761_599_000, "12-31 23:59 UTC"),
        ] {
            assert_eq!(moment(ms), want);
        }
    }

    #[test]
    fn sizes_and_counts_read_as_people_say_them() {
        assert_eq!(size(512), "512 B");
        assert_eq!(size(3500), "3.4 KiB");
        assert_eq!(size(64 << 20), "64.0 MiB");
        assert_eq!(count(1, "task"), "1 task");
        assert_eq!(count(0, "branch"), "0 branches");
    }
}
