//! Working hours.

use jiff::Timestamp;

use super::settings::{Day, Hours};

/// Why a moment is outside working hours, if it is.
pub(super) fn outside(hours: &Hours, seconds: i64) -> Option<String> {
    let moment = Timestamp::from_second(seconds).ok()?.to_zoned_datetime(hours.zone.clone());
    let days = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];
    let day = days[moment.weekday().to_monday_zero_offset() as usize];
    let free = !hours.days.contains(&day) || hours.holidays.contains(&moment.date());
    let time = moment.time();
    let inside = match hours.from <= hours.to {
        true => hours.from <= time && time < hours.to,
        false => time >= hours.from || time < hours.to,
    };
    (free || !inside).then(|| format!("at {} there", moment.strftime("%A %H:%M")))
}
