//! The time in which proofs are renewed: once a week or every day, in UTC, which has no summer time: no window is
//! skipped or comes twice.

use std::{fmt, str::FromStr};

use nodepanel_types::{Millis, Timestamp};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// 1970 began on a Thursday, in the week that began three days before.
const FIRST_MONDAY: i64 = -3 * DAY;
/// The days of a week as they are written.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// The word for every day.
const DAILY: &str = "daily";
/// The least length, in minutes: the supervisor itself waits for some minutes after each start.
const LEAST: u16 = 15;
/// The greatest, in minutes.
const MOST: u16 = 12 * 60;

/// Why a text is no window: the rest of a sentence that begins with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// It has another form.
    #[error("not of the form \"Sun 04:00-05:00\" or \"daily 04:00-05:00\" (UTC; days are {})", DAYS.join(", "))]
    Form,
    /// No time of a day.
    #[error("wrong at {0:?}, which is no time of a day from 00:00 to 23:59")]
    Time(String),
    /// Too short or too long.
    #[error("{minutes} minutes long; it must be {LEAST} minutes to {} hours", MOST / 60)]
    Length {
        /// How long it is.
        minutes: u16,
    },
}

/// A time that comes again every day or week, in UTC. Its end may be on the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Days after Monday; `None` for every day.
    day: Option<u8>,
    /// Minutes after midnight.
    from: u16,
    /// In minutes, less than a day.
    length: u16,
}

impl Window {
    /// When the present one began and ends, if now is in one.
    pub fn around(self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let (begin, end) = self.last(now);
        (now < end).then_some((begin, end))
    }

    /// When the next one begins, after now.
    pub fn next(self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(self.last(now).0.as_millis().saturating_add(self.period()))
    }

    /// The last one that has begun.
    fn last(self, now: Timestamp) -> (Timestamp, Timestamp) {
        let day = self.day.map_or(0, |day| FIRST_MONDAY + i64::from(day) * DAY);
        let phase = day + i64::from(self.from) * MINUTE;
        let since = now.as_millis().saturating_sub(phase).rem_euclid(self.period());
        let begin = Timestamp::from_millis(now.as_millis().saturating_sub(since));
        (begin, begin.plus(self.length()))
    }

    const fn period(self) -> i64 {
        if self.day.is_some() { 7 * DAY } else { DAY }
    }

    fn length(self) -> Millis {
        Millis::from(self.length) * MINUTE.unsigned_abs()
    }
}

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let (day, times) = text.trim().split_once(' ').ok_or(WindowError::Form)?;
        let day = if day.eq_ignore_ascii_case(DAILY) {
            None
        } else {
            let place = DAYS.iter().position(|name| name.eq_ignore_ascii_case(day)).ok_or(WindowError::Form)?;
            Some(u8::try_from(place).map_err(|_| WindowError::Form)?)
        };
        let (from, to) = times.trim().split_once('-').ok_or(WindowError::Form)?;
        let (from, to) = (minutes(from.trim())?, minutes(to.trim())?);
        let whole = 24 * 60;
        let length = (to + whole - from) % whole;
        if !(LEAST..=MOST).contains(&length) {
            return Err(WindowError::Length { minutes: length });
        }
        Ok(Self { day, from, length })
    }
}

fn minutes(text: &str) -> Result<u16, WindowError> {
    let wrong = || WindowError::Time(text.to_owned());
    let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
    let number = |digits: &str, below: u16| {
        let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u16>().ok().filter(|number| plain && *number < below).ok_or_else(wrong)
    };
    Ok(number(hours, 24)? * 60 + number(minutes, 60)?)
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.day.and_then(|day| DAYS.get(usize::from(day))).unwrap_or(&DAILY);
        let to = (self.from + self.length) % (24 * 60);
        write!(f, "{day} {:02}:{:02}-{:02}:{:02}", self.from / 60, self.from % 60, to / 60, to % 60)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn window(text: &str) -> Window {
        text.parse().unwrap()
    }

    #[test]
    fn a_weekly_window_is_found_on_its_day_in_utc() {
        let sunday = window("Sun 04:00-05:00");
        assert_eq!(sunday.around(at("2026-11-22T03:59:59.999Z")), None);
        let around = (at("2026-11-22T04:00:00Z"), at("2026-11-22T05:00:00Z"));
        assert_eq!(sunday.around(at("2026-11-22T04:00:00Z")), Some(around));
        assert_eq!(sunday.around(at("2026-11-22T04:59:59Z")), Some(around));
        assert_eq!(sunday.around(at("2026-11-22T05:00:00Z")), None);
        assert_eq!(sunday.around(at("2026-11-23T04:30:00Z")), None);
        assert_eq!(sunday.next(at("2026-11-22T04:30:00Z")), at("2026-11-29T04:00:00Z"));
        assert_eq!(sunday.next(at("2026-11-22T03:30:00Z")), at("2026-11-22T04:00:00Z"));
        // The Sundays on which most of Europe and of America changes its clocks are as long as any other.
        for day in ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01"] {
            let noon = at(&format!("{day}T04:30:00Z"));
            assert!(sunday.around(noon).is_some(), "{day}");
        }
    }

    #[test]
    fn a_window_may_end_on_the_next_day() {
        let night = window("Sat 23:30-00:30");
        let around = Some((at("2026-11-21T23:30:00Z"), at("2026-11-22T00:30:00Z")));
        assert_eq!(night.around(at("2026-11-21T23:45:00Z")), around);
        assert_eq!(night.around(at("2026-11-22T00:15:00Z")), around);
        assert_eq!(night.around(at("2026-11-21T00:15:00Z")), None);
        assert!(window("daily 23:30-00:30").around(at("2026-11-18T00:15:00Z")).is_some());
    }

    #[test]
    fn what_is_no_window_is_said() {
        for text in ["", "Sun", "Sunday 04:00-05:00", "04:00-05:00", "Sun 04:00"] {
            assert_eq!(text.parse::<Window>(), Err(WindowError::Form), "{text}");
        }
        for text in ["Sun 4:00-05:00", "Sun 04:00-24:00", "Sun 04:60-05:00", "Sun +1:00-05:00", "Sun 04-05"] {
            assert!(matches!(text.parse::<Window>(), Err(WindowError::Time(_))), "{text}");
        }
        for text in ["Sun 04:00-04:00", "Sun 04:00-04:14", "Sun 04:00-16:01", "Sun 05:00-04:00"] {
            assert!(matches!(text.parse::<Window>(), Err(WindowError::Length { .. })), "{text}");
        }
    }

    fn any_window() -> impl Strategy<Value = Window> {
        (proptest::option::of(0_u8..7), 0_u16..1_440, LEAST..=MOST).prop_map(|(day, from, length)| Window {
            day,
            from,
            length,
        })
    }

    proptest! {
        #[test]
        fn a_window_reads_back_and_comes_again(window in any_window(), now in -10_000_000_000_000_i64..10_000_000_000_000) {
            prop_assert_eq!(window.to_string().parse::<Window>(), Ok(window));
            let now = Timestamp::from_millis(now);
            let next = window.next(now);
            prop_assert!(next > now);
            prop_assert!(next.since(now) <= window.period().unsigned_abs());
            prop_assert_eq!(window.around(next), Some((next, next.plus(window.length()))));
            prop_assert_eq!(window.around(next.plus(window.length())), None);
            if let Some((begin, end)) = window.around(now) {
                prop_assert!(begin <= now && now < end);
                prop_assert_eq!(window.around(begin), Some((begin, end)));
            }
        }

        #[test]
        fn any_text_is_answered(text in ".{0,40}") {
            let _ = text.parse::<Window>();
        }
    }
}
