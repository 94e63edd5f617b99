{{ base64Encode "hello" }} {{ base64Decode "aGVsbG8=" }} {{ base64URLEncode "a?b>" }} {{ base64URLDecode "YT9iPg==" }}
{{ sha256Hex "abc" }} {{ md5sum "abc" }}
{{ hmacSHA256Hex "message" "key" }}
{{ toLower "ABC" }} {{ toUpper "abc" }} {{ toTitle "abc def" }} {{ trimSpace "  x " }} {{ trim "x" "xax" }} {{ trimPrefix "a" "ab" }} {{ trimSuffix "b" "ab" }}
{{ replaceAll "a" "b" "banana" }} {{ regexReplaceAll "[0-9]+" "N" "a1b22" }} {{ regexMatch "^a+$" "aaa" }}
{{ join "-" (split "," "a,b,c") }} {{ range $k, $v := splitToMap "," "=" "x=1,y=2" }}{{ $k }}:{{ $v }};{{ end }}
{{ add 1 2 }} {{ subtract 1 5 }} {{ multiply 3 4 }} {{ divide 2 9 }} {{ modulo 4 10 }} {{ minimum 3 2 }} {{ maximum 3 2 }}
{{ parseBool "true" }} {{ parseInt "-7" }} {{ parseUint "7" }} {{ parseFloat "1.5" }}
{{ range loop 3 }}{{ . }}{{ end }} {{ range loop 2 4 }}{{ . }}{{ end }}
{{ "a\nb" | indent 2 }}
{{ $l := split "," "a,b" }}{{ in $l "a" }} {{ contains "b" $l }} {{ containsAny (sprig_list "a" "z") $l }} {{ containsAll (sprig_list "a" "z") $l }}
{{ scratch.Set "k" "v" }}{{ scratch.Key "k" }} {{ scratch.MapSet "m" "x" 1 }}{{ scratch.Get "m" | toJSON }}
{{ parseYAML "a: [1, 2]" | toYAML }} {{ parseYAML "[1, x]" | toJSON }} {{ parseJSON "{\"b\":{\"c\":true}}" | toYAML }}
{{ parseJSON "{\"b\":{\"c\":true}}" | toTOML }}
{{ parseJSON "{\"a\":\"<\"}" | toUnescapedJSON }} {{ parseJSON "[1]" | toJSONPretty }}
{{ sprig_upper "x" }} {{ sprig_default "d" "" }} {{ sprig_list 1 2 | sprig_join "+" }} {{ sprig_dict "a" 1 | toJSON }} {{ sprig_semverCompare "^1.2.0" "1.3.4" }}
{{ timestamp "2006" | regexMatch "^20[0-9][0-9]$" }} {{ timestamp "unix" | regexMatch "^[0-9]+$" }}
{{ explodeMap (sprig_dict "a/b" "1") | toJSON }} {{ mergeMap (sprig_dict "a" 1) (sprig_dict "b" 2) | toJSON }}
{{ define "greet" }}hello {{ . }}{{ end }}{{ template "greet" "you" }} {{ executeTemplate "greet" "again" }}
{{ spew_sprintf "%v" 1 }}{{ spew_dump "to the worker's own output" }}{{ print 1 2 }} {{ len "four" }} {{ eq 1 1 }}
