package caddymodule

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

func importCommand() *cobra.Command {
	cmd := newCommand("import --users <file> [--yes]", "Adds a list of users to the report; tells what it would do unless --yes is given", 0, cmdImport)
	cmd.Flags().String("users", "", "CSV file with a first line that names the columns: name, and if wanted email and groups (with ; between them)")
	cmd.Flags().BoolP("yes", "y", false, "Do it")
	return cmd
}

// mostLines bounds a list of users.
const mostLines = 1_000_000

// A listedUser is a user on a line of a file.
type listedUser struct {
	importedUser
	line int
}

// An importSummary is what an import did, or would do.
type importSummary struct {
	Realm     string `json:"realm"`
	Done      bool   `json:"done"` // else it is what --yes would do
	New       int    `json:"new"`
	Known     int    `json:"known"`
	Completed int    `json:"completed"`
}

func cmdImport(l commandLine) error {
	file := l.String("users")
	if file == "" {
		return usageError("which file? --users users.csv")
	}
	users, err := readUserFile(file)
	if err != nil {
		return err
	}
	realm, err := l.realm()
	if err != nil {
		return err
	}
	sum, err := l.tryImport(realm, users)
	if err != nil {
		return err
	}
	if l.Bool("yes") {
		if sum, err = l.doImport(realm, users, false, nil); err != nil {
			return fmt.Errorf("the import is not complete, and can be repeated: %w", err)
		}
		sum.Done = true
	}
	if l.Bool("json") {
		return printJSON(sum)
	}
	return printImport(sum)
}

func printImport(s importSummary) error {
	rows := [][]string{{"NEW", "COMPLETED", "KNOWN ALREADY"}, {fmt.Sprint(s.New), fmt.Sprint(s.Completed), fmt.Sprint(s.Known)}}
	if err := printTable(rows); err != nil || s.Done {
		return err
	}
	fmt.Fprintln(os.Stderr, "Nothing was changed. To do it, give --yes.")
	return nil
}

// tryImport asks what an import would do, and returns an error that names the lines
// if the list is not right.
func (l commandLine) tryImport(realm string, users []listedUser) (importSummary, error) {
	var wrong []string
	first := make(map[string]int)
	sum, err := l.doImport(realm, users, true, func(u listedUser, r importResult) {
		switch before, ok := first[r.Name]; {
		case r.Error != "":
			wrong = append(wrong, fmt.Sprintf("line %d: %s", u.line, strings.TrimPrefix(r.Error, "mfagate: ")))
		case ok:
			wrong = append(wrong, fmt.Sprintf("line %d: %s is on line %d already", u.line, r.Name, before))
		default:
			first[r.Name] = u.line
		}
	})
	if err != nil {
		return sum, err
	}
	return sum, wrongLines(wrong)
}

const mostWrong = 20

// wrongLines makes one error of what is wrong with a file.
func wrongLines(wrong []string) error {
	if len(wrong) == 0 {
		return nil
	}
	more := ""
	if n := len(wrong) - mostWrong; n > 0 {
		wrong, more = wrong[:mostWrong], fmt.Sprintf("\nand %d more", n)
	}
	for i, w := range wrong {
		wrong[i] = printable(w)
	}
	return errors.New("nothing was imported, for the file is not right:\n" + strings.Join(wrong, "\n") + more)
}

// doImport sends the users part by part, and each result to told, if that is not nil.
func (l commandLine) doImport(realm string, users []listedUser, dry bool, told func(listedUser, importResult)) (importSummary, error) {
	sum := importSummary{Realm: realm}
	bar := newProgress(map[bool]string{true: "Checked", false: "Imported"}[dry], "users", int64(len(users)))
	defer bar.end()
	for part := range slices.Chunk(users, mostImported) {
		body := importBody{Realm: realm, Dry: dry}
		for _, u := range part {
			body.Users = append(body.Users, u.importedUser)
		}
		var out importResults
		if err := l.call(http.MethodPost, "/mfa/import", body, &out); err != nil {
			return sum, err
		}
		if len(out.Results) != len(part) {
			return sum, fmt.Errorf("the server answered for %d of %d users", len(out.Results), len(part))
		}
		for i, r := range out.Results {
			sum.add(r.Outcome)
			if told != nil {
				told(part[i], r)
			}
		}
		bar.add(int64(len(part)))
	}
	return sum, nil
}

func (s *importSummary) add(o mfagate.ImportOutcome) {
	switch o {
	case mfagate.ImportNew:
		s.New++
	case mfagate.ImportCompleted:
		s.Completed++
	case mfagate.ImportKnown:
		s.Known++
	}
}

func readUserFile(name string) ([]listedUser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usageError(err.Error())
	}
	defer f.Close()
	users, err := readUsers(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return users, nil
}

// readUsers reads a list of users strictly: nothing is guessed.
func readUsers(r io.Reader) ([]listedUser, error) {
	buffered := bufio.NewReader(r)
	if mark, _ := buffered.Peek(3); string(mark) == "\ufeff" {
		_, _ = buffered.Discard(3)
	}
	in := csv.NewReader(buffered)
	in.FieldsPerRecord = -1
	header, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("reading the first line: %w", err)
	}
	if err := checkColumns(header); err != nil {
		return nil, err
	}
	var users []listedUser
	var wrong []string
	for len(users) < mostLines && len(wrong) <= mostWrong {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return users, noneWrong(users, wrong)
		}
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			wrong = append(wrong, fmt.Sprintf("line %d: %v", parse.Line, parse.Err))
			continue
		}
		if err != nil {
			return nil, err
		}
		line, _ := in.FieldPos(0)
		u, err := readUser(header, row)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("line %d: %v", line, err))
			continue
		}
		users = append(users, listedUser{u, line})
	}
	if len(wrong) == 0 {
		return nil, fmt.Errorf("more than %d users: import them in parts", mostLines)
	}
	return nil, wrongLines(wrong)
}

func noneWrong(users []listedUser, wrong []string) error {
	if len(users) == 0 && len(wrong) == 0 {
		return errors.New("there is no user in it")
	}
	return wrongLines(wrong)
}

// checkColumns wants a header of known columns, each once, name among them.
func checkColumns(header []string) error {
	for i, column := range header {
		if !slices.Contains([]string{"name", "email", "groups"}, column) || slices.Contains(header[:i], column) {
			return fmt.Errorf("line 1 must name the columns, which are name, email and groups, each at most once; got %.40q", column)
		}
	}
	if !slices.Contains(header, "name") {
		return errors.New("line 1 must name the columns, with name among them")
	}
	return nil
}

func readUser(header, row []string) (u importedUser, err error) {
	if len(row) != len(header) {
		return u, fmt.Errorf("got %d columns; want %d", len(row), len(header))
	}
	for i, column := range header {
		cell := row[i]
		if !utf8.ValidString(cell) {
			return u, fmt.Errorf("%s is not UTF-8", column)
		}
		switch column {
		case "name":
			u.Name = cell
		case "email":
			u.Email = cell
		case "groups":
			for group := range strings.SplitSeq(cell, ";") {
				if group = strings.TrimSpace(group); group != "" {
					u.Groups = append(u.Groups, group)
				}
			}
		}
	}
	if u.Name == "" {
		return u, errors.New("the name is missing")
	}
	return u, nil
}
