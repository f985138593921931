package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/ansel1/merry"
	"github.com/go-graphite/carbonapi/expr/types"
	zipper "github.com/go-graphite/carbonapi/zipper/types"
	pb "github.com/go-graphite/protocol/carbonapi_v3_pb"
)

// A source gives carbonapi the series of a storage.
type source struct {
	storage Storage
	factor  float32 // xFilesFactor of the request
}

// Render reads what several patterns name.
func (s source) Render(ctx context.Context, r pb.MultiFetchRequest) ([]*types.MetricData, *zipper.Stats, merry.Error) {
	var list []*types.MetricData
	for i := range r.Metrics {
		m := &r.Metrics[i]
		var err error
		list, err = s.fetch(ctx, m, list)
		if err != nil {
			return nil, nil, withStatus(err)
		}
	}
	return list, &zipper.Stats{}, nil
}

func (s source) fetch(ctx context.Context, m *pb.FetchRequest, list []*types.MetricData) ([]*types.MetricData, error) {
	consolidate := ""
	for _, f := range m.FilterFunctions {
		if f.Name == "consolidateBy" && len(f.Arguments) == 1 {
			consolidate = f.Arguments[0]
		}
	}
	yield := func(path string, start, step int64, values []float64) bool {
		list = append(list, &types.MetricData{
			FetchResponse: pb.FetchResponse{
				Name: path, PathExpression: m.PathExpression, ConsolidationFunc: "average", XFilesFactor: s.factor,
				StartTime: start, StopTime: start + step*int64(len(values)), StepTime: step, Values: values,
				RequestStartTime: m.StartTime, RequestStopTime: m.StopTime,
			},
			Tags: tagsOf(path),
		})
		return true
	}
	if expressions, tagged := tagExpressions(m.Name); tagged {
		return list, s.storage.FetchTagged(ctx, expressions, m.StartTime, m.StopTime, consolidate, yield)
	}
	return list, s.storage.Fetch(ctx, m.Name, m.StartTime, m.StopTime, consolidate, yield)
}

// tagsOf reads the tags of a path; a dotted one has its name only.
func tagsOf(path string) map[string]string {
	name, rest, tagged := strings.Cut(path, ";")
	tags := map[string]string{"name": name}
	for tagged {
		var tag string
		tag, rest, tagged = strings.Cut(rest, ";")
		key, value, _ := strings.Cut(tag, "=")
		tags[key] = value
	}
	return tags
}

// tagExpressions reads the arguments of seriesByTag('a=b', "c!=~d").
func tagExpressions(target string) ([]string, bool) {
	if !strings.HasPrefix(target, "seriesByTag(") {
		return nil, false
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(target, "seriesByTag("), ")")
	var args []string
	for {
		inner = strings.TrimLeft(inner, ", \t")
		if inner == "" || inner[0] != '\'' && inner[0] != '"' {
			return args, true
		}
		end := strings.IndexByte(inner[1:], inner[0])
		if end < 0 {
			return args, true
		}
		args = append(args, inner[1:end+1])
		inner = inner[end+2:]
	}
}

// withStatus keeps the status of an error for carbonapi, which would take one without for an answer in part.
func withStatus(err error) merry.Error {
	status := http.StatusInternalServerError
	var s interface{ HTTPStatus() int }
	if errors.As(err, &s) {
		status = s.HTTPStatus()
	}
	return merry.Wrap(err).WithHTTPCode(status)
}

// RenderCompat is Render for plain names.
func (s source) RenderCompat(ctx context.Context, metrics []string, from, until int64) ([]*types.MetricData, *zipper.Stats, merry.Error) {
	var r pb.MultiFetchRequest
	for _, m := range metrics {
		r.Metrics = append(r.Metrics, pb.FetchRequest{Name: m, PathExpression: m, StartTime: from, StopTime: until})
	}
	return s.Render(ctx, r)
}

// Find lists nodes: applyByNode and its like ask for them.
func (s source) Find(ctx context.Context, r pb.MultiGlobRequest) (*pb.MultiGlobResponse, *zipper.Stats, merry.Error) {
	answer := &pb.MultiGlobResponse{}
	for _, query := range r.Metrics {
		g := pb.GlobResponse{Name: query}
		err := s.storage.Find(ctx, query, r.StartTime, r.StopTime, func(path string, leaf, branch bool) bool {
			if branch {
				g.Matches = append(g.Matches, pb.GlobMatch{Path: path})
			}
			if leaf {
				g.Matches = append(g.Matches, pb.GlobMatch{Path: path, IsLeaf: true})
			}
			return true
		})
		if err != nil {
			return nil, nil, withStatus(err)
		}
		answer.Metrics = append(answer.Metrics, g)
	}
	return answer, &zipper.Stats{}, nil
}

// Info is asked for by no function.
func (s source) Info(context.Context, []string) (*pb.ZipperInfoResponse, *zipper.Stats, merry.Error) {
	return nil, nil, zipper.ErrNotSupportedByBackend
}

// TagNames is asked for by no function: the handlers of tags ask the storage.
func (s source) TagNames(context.Context, string, int64) ([]string, merry.Error) {
	return nil, zipper.ErrNotSupportedByBackend
}

// TagValues is asked for by no function.
func (s source) TagValues(context.Context, string, int64) ([]string, merry.Error) {
	return nil, zipper.ErrNotSupportedByBackend
}

// ScaleToCommonStep says that each function brings its series to one step itself, as graphite-web's do.
func (s source) ScaleToCommonStep() bool { return false }
