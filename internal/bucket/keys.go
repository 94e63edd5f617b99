package bucket

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
)

// maxKeysFile bounds a file of credentials.
const maxKeysFile = 64 << 10

// KeysFrom gives the credentials of the environment (AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), or of a file in the form of the AWS
// tools when file is not empty. The file is read each time, and must not be
// readable by others.
func KeysFrom(file string, getenv func(string) string) func() (Keys, error) {
	if file != "" {
		return func() (Keys, error) { return readKeys(file) }
	}
	return func() (Keys, error) {
		k := Keys{ID: getenv("AWS_ACCESS_KEY_ID"), Secret: getenv("AWS_SECRET_ACCESS_KEY"), Session: getenv("AWS_SESSION_TOKEN")}
		if k.ID == "" || k.Secret == "" {
			return Keys{}, errors.New("s3: there are no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the agent's environment, or name a credentials_file")
		}
		return k, nil
	}
}

func readKeys(file string) (Keys, error) {
	f, err := os.Open(file)
	if err != nil {
		return Keys{}, fmt.Errorf("s3: credentials_file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return Keys{}, fmt.Errorf("s3: credentials_file: %w", err)
	case !info.Mode().IsRegular() || info.Size() > maxKeysFile:
		return Keys{}, fmt.Errorf("s3: credentials_file %s is no small regular file", file)
	case info.Mode().Perm()&0o077 != 0:
		return Keys{}, fmt.Errorf("s3: credentials_file %s can be read by others (mode %04o): chmod 600 it", file, info.Mode().Perm())
	}
	var k Keys
	section := "default"
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			section = strings.TrimSpace(line[1 : len(line)-1])
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || section != "default" || strings.HasPrefix(line, "#") {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "aws_access_key_id":
			k.ID = value
		case "aws_secret_access_key":
			k.Secret = value
		case "aws_session_token":
			k.Session = value
		}
	}
	if err := lines.Err(); err != nil {
		return Keys{}, fmt.Errorf("s3: credentials_file %s cannot be read", file)
	}
	if k.ID == "" || k.Secret == "" {
		return Keys{}, fmt.Errorf("s3: credentials_file %s has no aws_access_key_id and aws_secret_access_key in its part [default]", file)
	}
	return k, nil
}
