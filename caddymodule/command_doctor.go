package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func doctorCommand() *cobra.Command {
	return newSiteCommand("doctor [<site>]", "Looks for ways around the second factor, and for what is not in order", cmdDoctor)
}

// errDangerous ends the doctor with the exit code that scripts look at.
var errDangerous = errors.New("something above is dangerous")

func cmdDoctor(l commandLine) error {
	var d diagnosis
	if err := l.call(http.MethodGet, "/mfa/doctor?site="+url.QueryEscape(l.Arg(0)), nil, &d); err != nil {
		return err
	}
	var err error
	if l.Bool("json") {
		err = printJSON(d)
	} else {
		err = printDiagnosis(d)
	}
	if err == nil && d.dangerous() {
		return errDangerous
	}
	return err
}

// dangerous tells whether anything was found that lets people around the second factor.
func (d diagnosis) dangerous() bool {
	for _, c := range d.Checks {
		if c.Result == resultDangerous {
			return true
		}
	}
	for _, s := range d.Sites {
		for _, t := range s.Doors {
			if t.Result == resultDangerous {
				return true
			}
		}
	}
	return false
}

func printDiagnosis(d diagnosis) error {
	rows := [][]string{{"RESULT", "ABOUT", ""}}
	for _, c := range d.Checks {
		rows = append(rows, []string{c.Result, c.About, c.Text})
	}
	if err := printTable(rows); err != nil {
		return err
	}
	for _, s := range d.Sites {
		rows := [][]string{{"RESULT", "STATUS", "REQUEST TO " + s.Site + " WITHOUT A SESSION", ""}}
		for _, t := range s.Doors {
			rows = append(rows, []string{t.Result, fmt.Sprint(t.Status), t.Request, t.Note})
		}
		if err := printSection(rows); err != nil {
			return err
		}
	}
	return nil
}
