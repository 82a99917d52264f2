//! Answers in turn: `500x3,429:60,timeout,200`.

use std::str::FromStr;

use super::{Given, Received, Turn};

/// What is answered to the first request, to the second, ... The last act is played from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    acts: Vec<(Act, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Status { status: u16, retry_after: Option<u32> },
    Timeout,
    Reset,
}

impl Script {
    /// The turn for request number `number`, the first being 0. An answer echoes the request's body.
    pub(crate) fn turn(&self, number: u64, request: &Received) -> Turn {
        let mut left = number;
        let act = self.acts.iter().find(|(_, times)| {
            let here = left < *times;
            left = left.saturating_sub(*times);
            here
        });
        match act.or(self.acts.last()).map(|(act, _)| *act) {
            Some(Act::Timeout) => Turn::Timeout,
            Some(Act::Reset) => Turn::Reset,
            Some(Act::Status { status, retry_after }) => {
                let mut headers = vec![("Content-Type".to_owned(), content_type(request))];
                headers.extend(retry_after.map(|seconds| ("Retry-After".to_owned(), seconds.to_string().into_bytes())));
                Turn::Answer(Given { status, headers, body: request.body.clone() })
            }
            None => Turn::Answer(Given { status: 200, headers: Vec::new(), body: Vec::new() }),
        }
    }
}

fn content_type(request: &Received) -> Vec<u8> {
    let given = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    given.map_or_else(|| b"application/octet-stream".to_vec(), |(_, value)| value.clone())
}

impl FromStr for Script {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let acts = text.split(',').map(|part| act(part.trim())).collect::<Result<_, _>>()?;
        Ok(Self { acts })
    }
}

fn act(part: &str) -> Result<(Act, u64), String> {
    let wrong = || {
        format!("`{part}` is no answer: use a status, `429:60`, `timeout` or `reset`, each with `x3` for three times")
    };
    let (name, times) = match part.rsplit_once('x') {
        Some((name, times)) => (name, times.parse().ok().filter(|times| *times > 0).ok_or_else(wrong)?),
        None => (part, 1),
    };
    let act = match name {
        "timeout" => Act::Timeout,
        "reset" => Act::Reset,
        _ => {
            let (status, retry_after) =
                name.split_once(':').map_or((name, None), |(status, wait)| (status, Some(wait)));
            let status = status.parse().ok().filter(|status| (200..=599).contains(status)).ok_or_else(wrong)?;
            let retry_after = retry_after.map(str::parse).transpose().map_err(|_| wrong())?;
            Act::Status { status, retry_after }
        }
    };
    Ok((act, times))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Received {
        Received { method: "POST".to_owned(), path: "/".to_owned(), headers: Vec::new(), body: b"{}".to_vec() }
    }

    #[test]
    fn plays_in_turn_and_stays_at_the_last() {
        let script: Script = "500x3, 429:60,timeout,reset,200".parse().unwrap();
        let names: Vec<_> = (0..9).map(|number| script.turn(number, &request()).name()).collect();
        assert_eq!(names, ["500", "500", "500", "429", "timeout", "reset", "200", "200", "200"]);
        let Turn::Answer(given) = script.turn(3, &request()) else { panic!() };
        assert!(given.headers.contains(&("Retry-After".to_owned(), b"60".to_vec())));
        assert_eq!(given.body, b"{}");
    }

    #[test]
    fn junk_is_named() {
        for text in ["", "abc", "200,", "99", "600", "200x0", "200x-1", "429:", "429:soon", "x3", "timeout:3"] {
            assert!(text.parse::<Script>().is_err(), "{text}");
        }
    }
}
