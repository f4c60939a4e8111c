//! Examples of the string functions.

use common_types::LogicalType as T;

use super::register;
use crate::kernels::testing::{array, call, null, own};

macro_rules! check {
    ($name:ident($($arg:expr),*) = $want:expr) => {
        assert_eq!(call(register, stringify!($name), &[$(own($arg)),*]), $want, "{}", concat!(stringify!($name), "(", stringify!($($arg),*), ")"));
    };
}

#[test]
fn lengths_and_cuts() {
    check!(length("中文a") = "7");
    check!(char_length("中文a") = "3");
    check!(substr("hello", -3) = "llo");
    check!(substr("hello world, this is long", 7, 5) = "world");
    check!(substr("中文字符", 2, 2) = "文字");
    check!(substr("abc", 0) = "");
    check!(substr("abc", -4) = "");
    check!(substr("abc", 2, -1) = "");
    check!(left("中文字符", 2) = "中文");
    check!(left("abc", -1) = "");
    check!(right("中文字符和其他一些字符", 2) = "字符");
    check!(right("abc", 9) = "abc");
    check!(ascii("") = "0");
    check!(ascii("A") = "65");
    check!(char(65) = "A");
}

#[test]
fn building() {
    check!(concat("a", "b") = "ab");
    check!(concat("a", 1) = "a1");
    assert_eq!(call(register, "concat_ws", &[own(","), own("a"), null(T::varchar()), own("b")]), "a,b");
    assert_eq!(call(register, "concat_ws", &[null(T::varchar()), own("a")]), "NULL");
    assert_eq!(call(register, "concat_ws", &[own("-"), array(T::varchar(), "[\"a\",null,\"b\"]")]), "a-b");
    assert_eq!(call(register, "concat", &[array(T::Int, "[1,2]"), array(T::Int, "[3]")]), "[1,2,3]");
    check!(lpad("test", 8, "中文，") = "中文，中test");
    check!(rpad("test", 2, "x") = "te");
    check!(rpad("test", 6) = "test  ");
    check!(lpad("test", 6, "") = "test");
    check!(lpad("test", -1, "x") = "NULL");
    check!(repeat("ab", 3) = "ababab");
    check!(repeat("ab", 0) = "");
    check!(repeat("ab", 1_000_000) = "NULL");
    check!(space(3) = "   ");
    check!(space(-1) = "NULL");
    check!(reverse("a中b") = "b中a");
    check!(append_trailing_char_if_absent("a", "c") = "ac");
    check!(append_trailing_char_if_absent("ac", "c") = "ac");
    check!(append_trailing_char_if_absent("ac", "cd") = "NULL");
}

#[test]
fn case_and_trim() {
    check!(lower("ABC中") = "abc中");
    check!(upper("abc") = "ABC");
    check!(initcap("alpha-beta_gamma") = "Alpha-Beta_Gamma");
    check!(initcap("1st place") = "1st Place");
    check!(trim("  a b  ") = "a b");
    check!(ltrim("xxyabcxx", "xy") = "abcxx");
    check!(rtrim("abc中文中", "中") = "abc中文");
    check!(trim("中a中", "中") = "a");
}

#[test]
fn searching() {
    check!(instr("中文abc", "a") = "3");
    check!(locate("b", "abcb", 3) = "4");
    check!(locate("b", "abcb", 0) = "0");
    check!(locate("b", "中b") = "2");
    check!(strpos("abc", "") = "1");
    check!(strpos("abcabc", "abc", -1) = "4");
    check!(strpos("abcabc", "abc", 2) = "4");
    check!(strpos("abcabc", "abc", 0) = "0");
    check!(find_in_set("b", "a,b,c") = "2");
    check!(find_in_set("a,b", "a,b,c") = "0");
    check!(field("a", "b", "a", "d") = "2");
    check!(field("01", "1", 1) = "1");
    check!(field("01", "1") = "0");
    check!(field("a", "b", 1) = "0");
    check!(field(3, 2, 3) = "2");
    check!(strcmp("a", "b") = "-1");
    check!(starts_with("abc", "ab") = "1");
    check!(ends_with("abc", "") = "1");
    check!(null_or_empty("") = "1");
    assert_eq!(call(register, "null_or_empty", &[null(T::varchar())]), "1");
    check!(ngram_search("chinese", "china", 4) = "0.5");
    check!(ngram_search_case_insensitive("CHINESE", "china", 4) = "0.5");
}

#[test]
fn splitting() {
    check!(split("a|b|c", "|") = r#"["a","b","c"]"#);
    check!(split("测隔试", "") = r#"["测","隔","试"]"#);
    check!(split("abc", "x") = r#"["abc"]"#);
    check!(split_part("abc##567###234", "##", -2) = "567#");
    check!(split_part("abc##567###234", "##", 2) = "567");
    check!(split_part("abc##567###234", "##", 9) = "");
    check!(split_part("abc", "##", 1) = "abc");
    check!(substring_index("com.mysql.com", ".", 2) = "com.mysql");
    check!(substring_index("com.mysql.com", ".", -2) = "mysql.com");
    check!(substring_index("com.mysql.com", ".", 0) = "NULL");
    check!(substring_index("abc", ".", 2) = "abc");
    check!(str_to_map("a:1|b:2", "|", ":") = r#"{"a":"1","b":"2"}"#);
    check!(str_to_map("a:1,a:2,c") = r#"{"a":"2","c":null}"#);
    check!(str_to_map("") = r#"{"":null}"#);
    check!(tokenize("english", "Today is saturday") = r#"["today","is","saturday"]"#);
}

#[test]
fn replacing() {
    check!(replace("aXbXc", "X", "--") = "a--b--c");
    check!(replace("abc", "", "x") = "abc");
    check!(translate("abc", "ab", "") = "c");
    check!(translate("˜›âä测试😄😂ab", "â测😄", "😂b") = "˜›😂äb试😂ab");
}

#[test]
fn regular_expressions() {
    check!(regexp_extract("a1b22", "([a-z])([0-9]+)", 2) = "1");
    check!(regexp_extract("abc", "(x)", 1) = "");
    check!(regexp_extract("abc", "(b)", 7) = "");
    check!(regexp_extract_all("AbCdExCeF", "([[:lower:]]+)C([[:lower:]]+)", 0) = r#"["bCd","xCe"]"#);
    check!(regexp_extract_all("AbCdExCeF", "([[:lower:]]+)C([[:lower:]]+)", 3) = "[]");
    check!(regexp_replace("abcd", ".*", "xx") = "xx");
    check!(regexp_replace("a b c", "(b)", "<\\1>") = "a <b> c");
    check!(regexp_replace("abc中文def", "[\\p{Han}]+", "xx") = "abcxxdef");
    check!(regexp_replace("xxxx", "x", "-") = "----");
    check!(regexp_replace("https://www.x.com/path", "^https?://(?:www\\.)?([^/]+)/.*$", "\\1") = "x.com");
    check!(regexp_count("a b  c   d", "\\s+") = "3");
    check!(regexp_count("test", "a{,}") = "0");
    check!(regexp_count("abc", "[0-9") = "Invalid regex expression: [0-9");
    check!(regexp_position("a1b2c3d", "[0-9]", 5) = "6");
    check!(regexp_position("a1b2c3d4e", "[0-9]", 4, 2) = "6");
    check!(regexp_position("a1b2c3d", "", 2) = "2");
    check!(regexp_position("", ".") = "-1");
    check!(regexp_split("a1b2c", "[0-9]") = r#"["a","b","c"]"#);
    check!(regexp_split("a1b2c", "[0-9]", 2) = r#"["a","b2c"]"#);
}

#[test]
fn numbers_as_text() {
    check!(money_format(17_014_116) = "17,014,116.00");
    check!(money_format(-1234.567) = "-1,234.57");
    check!(format_bytes(1536) = "1.50 KB");
    check!(format_bytes(100) = "100 B");
    check!(format_bytes(-1) = "NULL");
    check!(inet_aton("192.168.1.1") = "3232235777");
    check!(inet_aton("192.168.1") = "NULL");
}

#[test]
fn urls() {
    check!(url_encode("https://a b/中") = "https%3A%2F%2Fa%20b%2F%E4%B8%AD");
    check!(url_decode("a%20b") = "a b");
    check!(parse_url("http://user:pw@example.com:80/docs/a.html?q=1&r=2#top", "HOST") = "example.com");
    check!(parse_url("http://user:pw@example.com:80/docs/a.html?q=1&r=2#top", "FILE") = "/docs/a.html?q=1&r=2");
    check!(parse_url("http://user:pw@example.com:80/docs/a.html?q=1&r=2#top", "USERINFO") = "user:pw");
    check!(parse_url("http://user:pw@example.com:80/docs/a.html?q=1&r=2#top", "REF") = "top");
    check!(parse_url("http://example.com", "QUERY") = "NULL");
    check!(parse_url("http://example.com", "X") = "Invalid URL part: X");
    check!(url_extract_host("https://starrocks.com/doc?k1=10") = "starrocks.com");
    check!(url_extract_parameter("https://starrocks.com/doc?k0=100&k1=10%21#s", "k1") = "10!");
    check!(url_extract_parameter("https://starrocks.com/doc?k0=1000&k1", "k1") = "");
    check!(url_extract_parameter("https://starrocks.com/doc?kk1=10", "k1") = "NULL");
}
