package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// A document is a parsed TOML file that can say where in it a key stands.
type document struct {
	path string
	text string
	meta toml.MetaData
	root map[string]any
	line func(key []string) int // where a key stands, 0 for unknown
}

// table is a [kind.name] whose keys are decoded later.
type table = toml.Primitive

func newDocument(path, text string) (*document, error) {
	d := &document{path: path, text: text}
	d.line = d.tomlLine
	if _, err := toml.Decode(text, &d.root); err != nil {
		return nil, d.decodeError(err)
	}
	return d, nil
}

// decodeTop fills the settings at the top of the file and refuses keys that are none of them.
func (d *document) decodeTop(top *settings) error {
	meta, err := toml.Decode(d.text, top)
	if err != nil {
		return d.decodeError(err)
	}
	d.meta = meta
	for _, key := range meta.Undecoded() {
		if len(key) == 1 || (key[0] != "aggregator" && key[0] != "database") {
			return d.unknown(key[:1], top)
		}
	}
	return nil
}

// names lists the tables of a kind in the file's order.
func (d *document) names(kind string, tables map[string]table) []string {
	var names []string
	for _, key := range d.meta.Keys() {
		if len(key) >= 2 && key[0] == kind && !slices.Contains(names, key[1]) {
			if _, ok := tables[key[1]]; ok {
				names = append(names, key[1])
			}
		}
	}
	return names
}

// decode fills v from the table, leaves keys alone that v does not have, and returns what it found.
func (d *document) decode(kind, name string, v any) (toml.MetaData, error) {
	if !tableName.MatchString(name) {
		return toml.MetaData{}, d.errorf(kind+"."+name, `want a name of at most 64 letters, digits, "_" and "-"`)
	}
	if _, isTable := d.subtree(kind, name).(map[string]any); !isTable {
		return toml.MetaData{}, d.errorf(kind+"."+name, "want a table: [%s.%s]", kind, name)
	}
	tables := reflect.New(nest(reflect.TypeFor[map[string]table](), kind))
	meta, err := toml.Decode(d.text, tables.Interface())
	if err == nil {
		err = meta.PrimitiveDecode(tables.Elem().Field(0).Interface().(map[string]table)[name], v)
	}
	if err != nil {
		return meta, d.decodeError(err)
	}
	return meta, nil
}

// decodeTable fills v from the table and refuses a key that neither v nor common has.
func (d *document) decodeTable(kind, name string, v, common any) error {
	meta, err := d.decode(kind, name, v)
	if err != nil {
		return err
	}
	shared := known(reflect.TypeOf(common))
	for _, key := range meta.Undecoded() {
		if len(key) < 3 || key[0] != kind || key[1] != name {
			continue
		}
		if len(key) == 3 && slices.Contains(shared, key[2]) {
			continue
		}
		return d.unknown(key, v, common)
	}
	return nil
}

// unknown is the error of a key that no setting has; the settings are those of vs.
func (d *document) unknown(key toml.Key, vs ...any) error {
	var names []string
	depth := 0
	if len(key) > 2 {
		depth = len(key) - 3
	}
	for _, v := range vs {
		t := reflect.TypeOf(v)
		for i := 0; i < depth && t != nil; i++ {
			t = field(t, key[2+i])
		}
		if t != nil {
			names = append(names, known(t)...)
		}
	}
	slices.Sort(names)
	return d.errorf(strings.Join(key, "."), "unknown key (known: %s)", strings.Join(slices.Compact(names), ", "))
}

// known lists the TOML keys of a struct type, or of what a pointer points to.
func known(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for f := range t.Fields() {
		if name := keyOf(f); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func field(t reflect.Type, key string) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for f := range t.Fields() {
		if keyOf(f) == key {
			return f.Type
		}
	}
	return nil
}

func keyOf(f reflect.StructField) string {
	if !f.IsExported() {
		return ""
	}
	name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
	switch name {
	case "-":
		return ""
	case "":
		return strings.ToLower(f.Name)
	}
	return name
}

// subtree returns what stands under a path of keys.
func (d *document) subtree(path ...string) any {
	var v any = d.root
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

// canonical spells a table so that equal contents are equal texts. Maps print in the order of their keys.
func (d *document) canonical(kind, name string) string {
	return fmt.Sprintf("%#v", d.subtree(kind, name))
}

// An Error says where in a file something is wrong: "clusterload.toml:12: database.graphite.port: …".
type Error struct {
	Path string
	Line int    // 0 where it is not known
	Key  string // "" for the file as a whole
	Err  error
}

func (e *Error) Error() string {
	where := e.Path
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d", where, e.Line)
	}
	if e.Key != "" {
		where += ": " + e.Key
	}
	return where + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// errorf makes an error about a key; the format may wrap an error with %w.
func (d *document) errorf(key, format string, args ...any) error {
	return &Error{Path: d.path, Line: d.line(strings.Split(key, ".")), Key: key, Err: fmt.Errorf(format, args...)}
}

// refuse is a setting that no value suits, so that decoding into it fails with the line of its key.
type refuse struct{}

func (refuse) UnmarshalTOML(any) error { return errors.New("refused") }

// tomlLine returns the line of a key by decoding the text into a type that refuses just that key.
func (d *document) tomlLine(key []string) int {
	t := reflect.TypeFor[refuse]()
	for _, name := range slices.Backward(key) {
		t = nest(t, name)
	}
	_, err := toml.Decode(d.text, reflect.New(t).Interface())
	if line, _, _, _ := cut(err); line > 0 {
		return line
	}
	header := "[" + strings.Join(key, ".") // a table that holds only tables has no line of its own
	for i, text := range strings.Split(d.text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(text), header) {
			return i + 1
		}
	}
	return 0
}

// nest makes a struct type with one field, of type t, that decodes from key.
func nest(t reflect.Type, key string) reflect.Type {
	return reflect.StructOf([]reflect.StructField{{Name: "X", Type: t, Tag: reflect.StructTag("toml:" + strconv.Quote(key))}})
}

var decodeMessage = regexp.MustCompile(`(?s)^toml: line (\d+)(?: \(last key "(.*?)"\))?: (.*)$`)

// cut takes an error of the TOML library apart.
func cut(err error) (line int, key, message string, ok bool) {
	if err == nil {
		return 0, "", "", false
	}
	m := decodeMessage.FindStringSubmatch(err.Error())
	if m == nil {
		return 0, "", "", false
	}
	line, _ = strconv.Atoi(m[1])
	return line, m[2], m[3], true
}

var goTypes = regexp.MustCompile(`type mismatch for .*: (expected .*)$`)

// decodeError says an error of the TOML library as the rest of the package says errors: file:line: key: what.
func (d *document) decodeError(err error) error {
	line, key, message, ok := cut(err)
	if !ok {
		return &Error{Path: d.path, Err: errors.New(strings.TrimPrefix(err.Error(), "toml: "))}
	}
	message = strings.Replace(message, "incompatible types: TOML value has type ", "is of type ", 1)
	message = strings.Replace(message, "; destination has type ", ", want ", 1)
	message = goTypes.ReplaceAllString(message, "$1")
	if key == "" {
		return &Error{Path: d.path, Line: line, Err: errors.New(message)}
	}
	return d.errorf(key, "%s", message)
}
