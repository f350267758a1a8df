//! A device as text: lines of 32 bytes in hex behind their offset in hex. Lines of zeros are left out; `xN` behind a line means
//! that it stands N times from there on.

const LINE_BYTES: usize = 32;

pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    let lines: Vec<&[u8]> = bytes.chunks(LINE_BYTES).collect();
    let mut at = 0;
    while at < lines.len() {
        let same = lines[at..].iter().take_while(|line| *line == &lines[at]).count();
        if lines[at].iter().any(|&byte| byte != 0) {
            let hex: String = lines[at].iter().map(|byte| format!("{byte:02x}")).collect();
            let times = if same > 1 { format!(" x{same}") } else { String::new() };
            text.push_str(&format!("{:08x} {hex}{times}\n", at * LINE_BYTES));
        }
        at += same;
    }
    text
}

pub(crate) fn decode(text: &str, length: usize) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; length];
    for (number, line) in text.lines().enumerate() {
        let bad = |what: &str| format!("line {}: {what}", number + 1);
        let mut words = line.split(' ');
        let mut next = || words.next().unwrap_or_default();
        let at = usize::from_str_radix(next(), 16).map_err(|_| bad("no offset"))?;
        let line = unhex(next()).filter(|line| line.len() == LINE_BYTES).ok_or_else(|| bad("not 32 bytes in hex"))?;
        let times = match next().strip_prefix('x') {
            Some(times) => times.parse().map_err(|_| bad("no number after x"))?,
            None => 1,
        };
        let room = bytes.get_mut(at..at + times * LINE_BYTES).ok_or_else(|| bad("beyond the end"))?;
        room.chunks_exact_mut(LINE_BYTES).for_each(|room| room.copy_from_slice(&line));
    }
    Ok(bytes)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    Some(digits?.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).unwrap_or(&0)).collect())
}
