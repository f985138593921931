package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/store/api"
)

// A fidelityCase is a target and, if any, parameters of /render beside it: "target ? maxDataPoints=100&tz=…".
type fidelityCase string

func (c fidelityCase) key() string { return string(c) }

// form makes the parameters. {begin} and {end} stand for the times of the first and last points, {begin+N} for N seconds
// later.
func (c fidelityCase) form(p *pair) url.Values {
	filled := offsets.ReplaceAllStringFunc(string(c), func(s string) string {
		m := offsets.FindStringSubmatch(s)
		base := map[string]int64{"begin": p.begin, "end": p.end}[m[1]]
		n := int64(0)
		fmt.Sscan(m[2], &n)
		return fmt.Sprint(base + n)
	})
	target, rest, _ := strings.Cut(filled, " ? ")
	v, err := url.ParseQuery(rest)
	if err != nil {
		panic(err)
	}
	v["target"] = append([]string{target}, v["target"]...)
	return v
}

var offsets = regexp.MustCompile(`\{(begin|end)([+-]\d+)?\}`)

// fidelityCases are the targets that are compared, one a line.
func fidelityCases() []fidelityCase {
	var list []fidelityCase
	for line := range strings.SplitSeq(fidelityText, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			list = append(list, fidelityCase(line))
		}
	}
	return list
}

// listedDifferences reads the table of docs/graphite-differences.md: "| `target` | reason |".
func listedDifferences(t *testing.T) map[string]string {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "graphite-differences.md"))
	require.NoError(t, err)
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.+) \\|$")
	listed := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(string(b), -1) {
		listed[m[1]] = m[2]
	}
	return listed
}

// TestFidelityCoversFunctions keeps the list of targets whole: each function that graphite-web 1.1.8 and the store both have
// is compared.
func TestFidelityCoversFunctions(t *testing.T) {
	ours := map[string]bool{}
	for _, name := range api.Functions() {
		ours[name] = true
	}
	called := map[string]bool{}
	for _, c := range fidelityCases() {
		for _, m := range regexp.MustCompile(`([A-Za-z]+)\(`).FindAllStringSubmatch(c.key(), -1) {
			called[m[1]] = true
		}
	}
	for name := range strings.FieldsSeq(graphiteFunctions) {
		assert.True(t, ours[name], "Graphite has %s, and the store has not", name)
		assert.True(t, called[name], "%s is not compared", name)
	}
	assert.GreaterOrEqual(t, len(fidelityCases()), 150)
}

// graphiteFunctions are those of graphite-web 1.1.8.
const graphiteFunctions = `
absolute add aggregate aggregateLine aggregateSeriesLists aggregateWithWildcards alias aliasByMetric aliasByNode aliasByTags
aliasQuery aliasSub alpha applyByNode areaBetween asPercent averageAbove averageBelow averageOutsidePercentile averageSeries
averageSeriesWithWildcards avg cactiStyle changed color consolidateBy constantLine countSeries cumulative currentAbove
currentBelow dashed delay derivative diffSeries diffSeriesLists divideSeries divideSeriesLists drawAsInfinite events exclude exp
exponentialMovingAverage fallbackSeries filterSeries grep group groupByNode groupByNodes groupByTags highest highestAverage
highestCurrent highestMax hitcount holtWintersAberration holtWintersConfidenceArea holtWintersConfidenceBands
holtWintersForecast identity integral integralByInterval interpolate invert isNonNull keepLastValue legendValue limit lineWidth
linearRegression log logit lowest lowestAverage lowestCurrent map mapSeries maxSeries maximumAbove maximumBelow minMax minSeries
minimumAbove minimumBelow mostDeviant movingAverage movingMax movingMedian movingMin movingSum movingWindow multiplySeries
multiplySeriesLists multiplySeriesWithWildcards nPercentile nonNegativeDerivative offset offsetToZero pct perSecond
percentileOfSeries pow powSeries rangeOfSeries reduce reduceSeries removeAbovePercentile removeAboveValue removeBelowPercentile
removeBelowValue removeBetweenPercentile removeEmptySeries round scale scaleToSeconds secondYAxis seriesByTag setXFilesFactor
sigmoid smartSummarize sortBy sortByMaxima sortByMinima sortByName sortByTotal squareRoot stacked stddevSeries stdev substr sum
sumSeries sumSeriesLists sumSeriesWithWildcards summarize threshold time timeFunction timeShift timeSlice timeStack
transformNull unique useSeriesAbove verticalLine weightedAverage xFilesFactor
`

const fidelityText = `
# patterns
srv.a.cpu.user
srv.*.cpu.user
srv.{a,c}.cpu.{user,idle}
srv.[ab].cpu.?s*
srv.[!a].gappy
*.*.under_score.x*
odd.*
odd.late
slow.m.*
no.such
srv.{a.cpu.user,b.requests}
# bounds of time
srv.a.cpu.user ? from={begin+3}&until={begin+97}
srv.a.cpu.user ? from={begin+10}&until={begin+100}
srv.a.cpu.user ? from={begin+10}&until={begin+15}
srv.a.cpu.user ? from={begin+95}&until={begin+99}
srv.a.gappy ? from={begin}&until={begin+600}
srv.a.cpu.user ? from={end-3600}&until={end}
srv.a.cpu.user ? from={end}&until={end-3600}
slow.m.one ? from={begin+30}&until={begin+330}
slow.m.one ? from={begin+60}&until={begin+300}
srv.a.cpu.user ? from=-20min&until=now
srv.a.cpu.user ? from=-1h&until=-30min
# maxDataPoints
srv.a.cpu.user ? maxDataPoints=100
srv.a.cpu.user ? maxDataPoints=7
srv.a.cpu.user ? maxDataPoints=1
srv.*.gappy ? maxDataPoints=50
odd.* ? maxDataPoints=33
slow.m.* ? maxDataPoints=20
srv.a.cpu.user ? maxDataPoints=100&from={begin+1230}&until={end-770}
srv.a.cpu.user ? maxDataPoints=100&target=slow.m.one
consolidateBy(srv.a.cpu.user,'max') ? maxDataPoints=50
consolidateBy(srv.a.cpu.user,'min') ? maxDataPoints=50
consolidateBy(srv.a.requests,'sum') ? maxDataPoints=50
consolidateBy(srv.a.cpu.user,'first') ? maxDataPoints=50
consolidateBy(srv.a.gappy,'last') ? maxDataPoints=50
consolidateBy(srv.a.gappy,'average')
srv.a.gappy ? noNullPoints=true
srv.*.gappy ? maxDataPoints=60&xFilesFactor=0.8
sumSeries(srv.*.gappy) ? xFilesFactor=0.9
setXFilesFactor(srv.a.gappy,0.75) ? maxDataPoints=40
xFilesFactor(srv.a.gappy,0.5) ? maxDataPoints=40
# sums over series
sumSeries(srv.*.cpu.user)
sum(srv.*.gappy)
sumSeries(srv.a.cpu.user,slow.m.one)
sumSeries(slow.m.*,srv.*.cpu.idle)
sumSeries(no.such)
sumSeries(no.such,srv.a.cpu.user)
averageSeries(srv.*.gappy)
avg(srv.*.cpu.*)
minSeries(srv.*.cpu.user)
maxSeries(srv.*.gappy)
countSeries(srv.*.cpu.*)
countSeries(no.such)
multiplySeries(srv.*.cpu.user)
multiplySeries(srv.a.gappy,srv.b.gappy)
diffSeries(srv.a.cpu.user,srv.b.cpu.user,srv.c.cpu.user)
diffSeries(srv.*.gappy)
divideSeries(srv.a.cpu.user,srv.b.cpu.user)
divideSeries(srv.*.requests,odd.zero)
divideSeries(srv.a.cpu.user,slow.m.one)
divideSeriesLists(srv.*.cpu.user,srv.*.cpu.idle)
sumSeriesLists(srv.*.cpu.user,srv.*.cpu.idle)
diffSeriesLists(srv.*.cpu.user,srv.*.cpu.idle)
multiplySeriesLists(srv.*.cpu.user,srv.*.cpu.idle)
aggregateSeriesLists(srv.*.cpu.user,srv.*.cpu.idle,'max')
stddevSeries(srv.*.cpu.user)
rangeOfSeries(srv.*.cpu.user)
percentileOfSeries(srv.*.cpu.*,75)
percentileOfSeries(srv.*.cpu.*,75,true)
powSeries(odd.steps,odd.constant)
aggregate(srv.*.cpu.user,'median')
aggregate(srv.*.gappy,'stddev')
aggregate(srv.*.gappy,'last')
aggregate(srv.*.gappy,'sum',0.9)
aggregateWithWildcards(srv.*.cpu.*,'avg',1)
sumSeriesWithWildcards(srv.*.cpu.*,1)
sumSeriesWithWildcards(srv.*.cpu.*,1,3)
averageSeriesWithWildcards(srv.*.cpu.*,3)
multiplySeriesWithWildcards(srv.*.cpu.*,1)
groupByNode(srv.*.cpu.*,1,'sum')
groupByNode(srv.*.cpu.*,3,'averageSeries')
groupByNode(srv.*.cpu.*,-1,'max')
groupByNodes(srv.*.cpu.*,'sum',1,3)
groupByNodes(srv.*.cpu.*,'avg',3)
groupByTags(srv.*.cpu.user,'sum','name')
weightedAverage(srv.*.cpu.user,srv.*.requests,1)
weightedAverage(srv.*.gappy,srv.*.cpu.user,1)
asPercent(srv.*.cpu.user)
asPercent(srv.*.cpu.user,200)
asPercent(srv.a.cpu.*,srv.a.cpu.idle)
asPercent(srv.*.cpu.user,srv.*.cpu.idle)
asPercent(srv.*.cpu.*,None,1)
asPercent(srv.*.cpu.user,srv.*.cpu.idle,1)
pct(srv.*.gappy)
reduceSeries(mapSeries(srv.*.cpu.*,1),'asPercent',3,'user','idle')
reduce(map(srv.*.cpu.*,1),'diffSeries',3,'user','idle')
applyByNode(srv.*.cpu.user,1,'sumSeries(%.cpu.*)')
applyByNode(srv.*.cpu.user,1,'sumSeries(%.cpu.*)','% total')
group(srv.a.cpu.user,srv.b.cpu.*)
# over time
derivative(srv.a.requests)
derivative(srv.a.gappy)
nonNegativeDerivative(srv.*.requests)
nonNegativeDerivative(srv.a.requests,2000)
nonNegativeDerivative(srv.a.gappy)
perSecond(srv.*.requests)
perSecond(srv.b.gappy)
perSecond(slow.m.one)
integral(srv.a.gappy)
integralByInterval(srv.a.cpu.user,'10min')
cumulative(srv.a.requests) ? maxDataPoints=50
movingAverage(srv.a.cpu.user,10)
movingAverage(srv.a.gappy,'5min')
movingAverage(srv.a.gappy,'5min',0.8)
movingAverage(slow.m.one,'5min')
movingSum(srv.*.requests,'2min')
movingMin(srv.a.gappy,6)
movingMax(srv.a.gappy,'1min')
movingMedian(srv.a.cpu.user,15)
movingMedian(srv.a.gappy,'2min')
movingWindow(srv.a.cpu.user,'3min','stddev')
movingWindow(srv.a.gappy,5,'last')
exponentialMovingAverage(srv.a.cpu.user,10)
exponentialMovingAverage(srv.a.cpu.user,'5min')
summarize(srv.a.cpu.user,'10min')
summarize(srv.a.requests,'10min','max')
summarize(srv.a.gappy,'7min','avg')
summarize(srv.a.gappy,'1h','last',true)
summarize(srv.*.cpu.user,'5min','median')
summarize(slow.m.*,'10min','count')
smartSummarize(srv.a.cpu.user,'10min')
smartSummarize(srv.a.gappy,'20min','avg')
smartSummarize(srv.a.gappy,'1h','max','hours')
hitcount(srv.a.cpu.user,'10min')
hitcount(srv.a.gappy,'20min')
hitcount(srv.a.gappy,'1h',true)
delay(srv.a.cpu.user,3)
delay(srv.a.gappy,-2)
timeShift(srv.a.cpu.user,'1h') ? from={end-3600}&until={end-600}
timeShift(srv.a.cpu.user,'-30min') ? from={begin+600}&until={begin+3600}
timeShift(slow.m.one,'90min',false) ? from={end-3600}&until={end-600}
timeSlice(srv.a.cpu.user,'{begin+3000}','{begin+6000}')
timeSlice(srv.a.gappy,'{begin+5000}','{end}')
timeStack(srv.a.cpu.user,'30min',0,2) ? from={end-1800}&until={end-600}
keepLastValue(srv.a.gappy)
keepLastValue(srv.*.gappy,1)
keepLastValue(odd.outage,100)
interpolate(srv.a.gappy)
interpolate(odd.outage,50)
transformNull(srv.a.gappy)
transformNull(odd.outage,-7)
transformNull(srv.a.gappy,0,srv.*.gappy)
isNonNull(srv.*.gappy)
changed(odd.steps)
changed(srv.a.gappy)
linearRegression(srv.a.cpu.user)
linearRegression(odd.outage,'{begin+2000}','{begin+4000}')
holtWintersForecast(srv.a.cpu.user)
holtWintersConfidenceBands(srv.a.cpu.user,2)
holtWintersConfidenceArea(srv.a.cpu.user,2)
holtWintersAberration(srv.a.cpu.user,2)
scaleToSeconds(srv.a.requests,60)
scaleToSeconds(slow.m.one,1)
stdev(srv.a.cpu.user,10)
stdev(srv.a.gappy,20,0.5)
# each value by itself
absolute(odd.negative)
scale(srv.*.cpu.user,0.1)
add(srv.a.gappy,-5.5)
offset(srv.a.gappy,10)
offsetToZero(srv.*.gappy)
invert(odd.steps)
pow(srv.a.cpu.user,2)
pow(odd.negative,0.5)
exp(odd.tiny)
squareRoot(odd.negative)
squareRoot(srv.a.gappy)
log(srv.a.gappy)
log(odd.steps,2)
log(odd.negative)
logit(scale(srv.a.cpu.user,0.01))
sigmoid(odd.steps)
minMax(srv.a.gappy)
minMax(odd.constant)
round(srv.a.cpu.user)
round(srv.a.cpu.user,2)
round(srv.a.gappy,-2)
removeAboveValue(srv.a.cpu.user,31)
removeBelowValue(srv.a.gappy,1500)
removeAbovePercentile(srv.a.cpu.user,90)
removeBelowPercentile(srv.a.gappy,20)
nPercentile(srv.*.cpu.user,95)
nPercentile(srv.a.gappy,50)
# choosing series
averageAbove(srv.*.cpu.*,50)
averageBelow(srv.*.cpu.*,50)
currentAbove(srv.*.gappy,3000)
currentBelow(srv.*.gappy,3000)
maximumAbove(srv.*.cpu.user,70)
maximumBelow(srv.*.cpu.user,70)
minimumAbove(srv.*.cpu.user,50)
minimumBelow(srv.*.cpu.user,50)
highest(srv.*.cpu.*,3,'max')
highest(srv.*.cpu.*,2)
lowest(srv.*.cpu.*,2,'sum')
highestAverage(srv.*.cpu.*,2)
highestCurrent(srv.*.gappy,2)
highestMax(srv.*.cpu.*,4)
lowestAverage(srv.*.cpu.*,2)
lowestCurrent(srv.*.gappy,2)
limit(srv.*.cpu.*,4)
mostDeviant(srv.*.cpu.*,3)
averageOutsidePercentile(srv.*.cpu.*,30)
removeBetweenPercentile(srv.*.cpu.*,30)
filterSeries(srv.*.cpu.*,'max','>',60)
filterSeries(srv.*.gappy,'last','<=',3000)
exclude(srv.*.cpu.*,'user|idle')
grep(srv.*.cpu.*,'a.*er$')
removeEmptySeries(srv.*.gappy)
removeEmptySeries(odd.late,0.5)
unique(srv.a.cpu.user,srv.*.cpu.user)
fallbackSeries(no.such,srv.a.cpu.user)
fallbackSeries(srv.b.cpu.user,srv.a.cpu.user)
useSeriesAbove(srv.*.cpu.user,60,'user','idle')
sortBy(srv.*.cpu.*,'max')
sortBy(srv.*.cpu.*,'average',true)
sortByMaxima(srv.*.cpu.*)
sortByMinima(srv.*.cpu.*)
sortByTotal(srv.*.gappy)
sortByName(*.*.under_score.x*)
sortByName(*.*.under_score.x*,true)
sortByName(srv.*.cpu.user,false,true)
seriesByTag('name=no.such')
# names
alias(srv.a.cpu.user,'User CPU')
aliasByMetric(srv.*.cpu.user)
aliasByMetric(scale(srv.a.cpu.user,2))
aliasByNode(srv.*.cpu.user,1)
aliasByNode(srv.*.cpu.user,1,3)
aliasByNode(sumSeries(srv.a.cpu.*),1,-1)
aliasByNode(movingAverage(srv.a.cpu.user,5),0,1)
aliasByTags(srv.*.cpu.user,'name')
aliasByTags(srv.*.cpu.user,1,'name')
aliasSub(srv.*.cpu.user,'^srv\\.(.)\\..*$','host \\1')
aliasSub(srv.*.cpu.user,'cpu','CPU')
aliasQuery(srv.a.cpu.user,'srv\\.(.*)\\.cpu\\.user','srv.\\1.cpu.idle','idle %g')
substr(srv.*.cpu.user,1,3)
substr(srv.a.cpu.user,2)
substr(sumSeries(srv.a.cpu.*),1)
legendValue(srv.*.cpu.user,'last')
legendValue(srv.a.gappy,'avg','max')
legendValue(odd.huge,'max','si')
cactiStyle(srv.*.cpu.user)
cactiStyle(srv.*.requests,'si')
# drawing
color(srv.a.cpu.user,'red')
alpha(srv.a.cpu.user,0.5)
dashed(srv.a.cpu.user)
dashed(srv.a.cpu.user,2.5)
drawAsInfinite(srv.a.cpu.user)
secondYAxis(srv.a.cpu.user)
lineWidth(srv.a.cpu.user,3)
stacked(srv.*.cpu.user)
stacked(srv.*.gappy,'x')
areaBetween(srv.{a,b}.cpu.user)
threshold(12.5,'limit','red')
threshold(7)
constantLine(123.456)
aggregateLine(srv.a.cpu.user,'max')
aggregateLine(srv.*.gappy,'avg')
aggregateLine(srv.a.gappy,'min',true)
verticalLine('-1h','deployed','blue')
events('deploy')
# of nothing
identity('The.time')
time('t')
time('t',120)
timeFunction('t',600)
# combined
alias(sumSeries(scale(srv.*.cpu.user,0.1),offset(srv.*.cpu.idle,1)),'x') ? maxDataPoints=77
aliasByNode(highestMax(summarize(nonNegativeDerivative(srv.*.requests),'5min','sum'),2),1)
movingAverage(sumSeries(srv.*.gappy),5)
asPercent(summarize(srv.*.cpu.user,'10min','avg'),sumSeries(summarize(srv.*.cpu.user,'10min','avg')))
sortByName(group(srv.c.cpu.user,srv.a.cpu.user,srv.b.cpu.user))
scale(scale(scale(srv.a.cpu.user,2),0.5),10)
srv.a.cpu.user|scale(2)|alias('piped')
`
