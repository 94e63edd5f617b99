package jobspec

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	"golang.org/x/crypto/bcrypt"
)

// textFunc makes a function from texts to a text.
func textFunc(f func(args []string) (string, error), names ...string) function.Function {
	params := make([]function.Parameter, len(names))
	for i, name := range names {
		params[i] = function.Parameter{Name: name, Type: cty.String}
	}
	return function.New(&function.Spec{
		Params: params,
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			texts := make([]string, len(args))
			for i, a := range args {
				texts[i] = a.AsString()
			}
			out, err := f(texts)
			if err != nil {
				return cty.UnknownVal(cty.String), err
			}
			return cty.StringVal(out), nil
		},
	})
}

var base64EncodeFunc = textFunc(func(a []string) (string, error) {
	return base64.StdEncoding.EncodeToString([]byte(a[0])), nil
}, "text")

var base64DecodeFunc = textFunc(func(a []string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(a[0])
	if err != nil {
		return "", fmt.Errorf("not base64: %w", err)
	}
	if !utf8.Valid(b) {
		return "", errors.New("the decoded bytes are not UTF-8 text")
	}
	return string(b), nil
}, "text")

var sha256Func = textFunc(func(a []string) (string, error) {
	sum := sha256.Sum256([]byte(a[0]))
	return hex.EncodeToString(sum[:]), nil
}, "text")

var sha512Func = textFunc(func(a []string) (string, error) {
	sum := sha512.Sum512([]byte(a[0]))
	return hex.EncodeToString(sum[:]), nil
}, "text")

var urlEncodeFunc = textFunc(func(a []string) (string, error) { return url.QueryEscape(a[0]), nil }, "text")

var uuidV4Func = textFunc(func([]string) (string, error) { return uuid.NewString(), nil })

var uuidV5Func = textFunc(func(a []string) (string, error) {
	space, ok := map[string]uuid.UUID{"dns": uuid.NameSpaceDNS, "url": uuid.NameSpaceURL, "oid": uuid.NameSpaceOID, "x500": uuid.NameSpaceX500}[a[0]]
	if !ok {
		var err error
		if space, err = uuid.Parse(a[0]); err != nil {
			return "", fmt.Errorf("the namespace must be dns, url, oid, x500 or a UUID, not %s", quote(a[0]))
		}
	}
	return uuid.NewSHA1(space, []byte(a[1])).String(), nil
}, "namespace", "name")

var bcryptFunc = function.New(&function.Spec{
	Params:   []function.Parameter{{Name: "text", Type: cty.String}},
	VarParam: &function.Parameter{Name: "cost", Type: cty.Number},
	Type:     function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		cost := bcrypt.DefaultCost
		if len(args) > 2 {
			return cty.UnknownVal(cty.String), errors.New("bcrypt takes a text and a cost")
		}
		if len(args) == 2 {
			n, _ := args[1].AsBigFloat().Int64()
			cost = int(min(max(n, int64(bcrypt.MinCost)), maxBcryptCost))
		}
		out, err := bcrypt.GenerateFromPassword([]byte(args[0].AsString()), cost)
		if err != nil {
			return cty.UnknownVal(cty.String), err
		}
		return cty.StringVal(string(out)), nil
	},
})

// indexFunc finds a value in a list. In a map it gives the value of a key.
var indexFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}, {Name: "value", Type: cty.DynamicPseudoType}},
	Type: func(args []cty.Value) (cty.Type, error) {
		if ty := args[0].Type(); ty.IsListType() || ty.IsTupleType() || ty.IsSetType() {
			return cty.Number, nil
		}
		return stdlib.IndexFunc.ReturnTypeForValues(args)
	},
	Impl: func(args []cty.Value, ret cty.Type) (cty.Value, error) {
		if ty := args[0].Type(); !ty.IsListType() && !ty.IsTupleType() && !ty.IsSetType() {
			return stdlib.IndexFunc.Call(args)
		}
		i := int64(0)
		for it := args[0].ElementIterator(); it.Next(); i++ {
			if _, e := it.Element(); e.Type().Equals(args[1].Type()) && e.Equals(args[1]).True() {
				return cty.NumberIntVal(i), nil
			}
		}
		return cty.UnknownVal(cty.Number), function.NewArgErrorf(1, "the list does not hold it")
	},
})

// maxRSABits bounds the key that rsadecrypt works with.
const maxRSABits = 8192

var rsaDecryptFunc = textFunc(func(a []string) (string, error) {
	sealed, err := base64.StdEncoding.DecodeString(a[0])
	if err != nil {
		return "", fmt.Errorf("the text must be base64: %w", err)
	}
	if len(a[1]) > 16<<10 {
		return "", errors.New("the key is too large")
	}
	block, _ := pem.Decode([]byte(a[1]))
	if block == nil {
		return "", errors.New("the key must be PEM")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return "", errors.New("the key must be an RSA key in PKCS#1 or PKCS#8 form")
		}
		var ok bool
		if key, ok = parsed.(*rsa.PrivateKey); !ok {
			return "", errors.New("the key must be an RSA key")
		}
	}
	if key.N.BitLen() > maxRSABits {
		return "", fmt.Errorf("the key has more than %d bits", maxRSABits)
	}
	out, err := rsa.DecryptPKCS1v15(nil, key, sealed)
	if err != nil {
		return "", errors.New("the key does not open the text")
	}
	return string(out), nil
}, "ciphertext", "privatekey")
