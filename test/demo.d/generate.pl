#!/usr/bin/env perl
# Makes the demo's raw data: generate.pl folder [users] [lines]
#
#   user_behavior.json  one event a line, dirty
#   truth.csv           user_id, probability: what only the generator knows
#   planted.csv         kind, lines: how often each kind of dirt was planted
#
# The truth. A user's probability to buy within 30 days after the cut-off is a
# logistic function of what the user did before it (see %weight). Ranking users
# by that probability is the best anyone can do, so its AUC is the ceiling a
# model is measured against; it is below 1 because buying stays a matter of chance.
#
# The same seed gives the same bytes everywhere: perl has its own generator of
# random numbers, and times are UTC.
use strict;
use warnings;
use POSIX qw(floor);

my ($folder, $users, $lines) = @ARGV;
die "usage: generate.pl folder [users] [lines]\n" unless defined $folder;
$users //= 20_000;
$lines //= 200_000;
srand(20240601);

my $day = 86400;
my $start = 1704067200;              # 2024-01-01 00:00 UTC
my $cutoff = $start + 91 * $day;     # 2024-04-01
my $end = $cutoff + 30 * $day;       # 2024-05-01

my %weight = (
	intercept => -4.1,
	clicks_30d => 0.10,      # events in the 30 days before
	checkouts_30d => 0.55,   # of them on the checkout page
	orders => 0.50,          # purchases, ever
	recency => -0.025,       # days since the last event
	minutes => 0.22,         # mean length of a click
	DE => 0.5, CN => 0.3, BR => -0.6);

# what is planted, in lines; the first group never reaches the table, the second
# is rejected by the recipe, the third is repaired
my $unit = $lines / 200_000;
my %plant = (
	truncated => 500, noise => 100, bytes => 100, bad_key => 200, no_key => 100, repeated => 2000,
	no_user => 800, bad_duration => 600, bad_time => 300, negative => 150, submitted_twice => 300,
	token => 5000, no_duration => 2000, blanks => 4000, case => 6000);
$_ = floor($_ * $unit) for values %plant;

my @pages = qw(home search product cart checkout account help);
my @page_weight = (0.22, 0.20, 0.33, 0.10, 0.04, 0.07, 0.04);
my @devices = qw(mobile desktop tablet);
my @countries = (('US') x 30, ('CN') x 22, ('DE') x 14, ('GB') x 10, ('FR') x 8, ('IN') x 8, ('BR') x 8);
my @tokens = ('N/A', '', '?', '-');

my $spare;

sub normal
{
	if (defined $spare)
	{
		my $z = $spare;
		undef $spare;
		return $z;
	}
	my ($r, $a) = (sqrt(-2 * log(1 - rand)), 6.28318530717958648 * rand);
	$spare = $r * sin($a);
	return $r * cos($a);
}

sub page
{
	my ($u, $checkout) = (rand, shift);
	return 'checkout' if $u < $checkout;
	$u = rand;
	for my $i (0 .. $#pages)
	{
		$u -= $page_weight[$i];
		return $pages[$i] if $u < 0;
	}
	return 'home';
}

# shares out n events by weight: share(i) is exact in the sum
sub shares
{
	my ($n, $weights) = @_;
	my ($total, $sum, $given) = (0, 0, 0);
	$total += $_ for @$weights;
	return map { $sum += $_; my $k = floor($n * $sum / $total + 1e-9) - $given; $given += $k; $k } @$weights;
}

# An event is [time, user, page, seconds, device, country, order value or undef].
my @events;
my (@activity, @interest, @seconds, @device, @country, @bias);

for my $u (0 .. $users - 1)
{
	push @activity, exp(0.9 * normal());
	push @interest, exp(0.8 * normal());
	push @seconds, exp(4.0 + 0.6 * normal());
	push @device, $devices[ rand() < 0.62 ? 0 : rand() < 0.8 ? 1 : 2 ];
	push @country, $countries[ rand @countries ];
	push @bias, 0.018 * exp(0.7 * normal());
}

sub event
{
	my ($u, $time, $order) = @_;
	my $page = $order ? 'checkout' : page(0.05 * $interest[$u]);
	return [
		$time, $u + 1, $page, $seconds[$u] * exp(0.5 * normal()),
		rand() < 0.8 ? $device[$u] : $devices[ rand @devices ],
		$country[$u], $order ? 5 + exp(3.4 + 0.8 * normal()) : undef ];
}

# before the cut-off
my $real = $lines - $plant{repeated} - $plant{submitted_twice};
my $before = floor(0.75 * $real);
my @n = shares($before - $users, \@activity);
my @truth;
my @buyers;
for my $u (0 .. $users - 1)
{
	my $first = $start + rand(60) * $day;
	my $last = rand() < 0.4 ? $first + rand() * ($cutoff - $first) : $cutoff;
	my %x = (clicks_30d => 0, checkouts_30d => 0, orders => 0, latest => 0, seconds => 0);
	for (0 .. $n[$u])
	{
		# times are whole seconds, as they are written
		my $e = event($u, floor($first + rand() * ($last - $first)), rand() < $bias[$u]);
		push @events, $e;
		$x{latest} = $e->[0] if $e->[0] > $x{latest};
		$x{seconds} += $e->[3];
		$x{orders}++ if defined $e->[6];
		next if $e->[0] < $cutoff - 30 * $day;
		$x{clicks_30d}++;
		$x{checkouts_30d}++ if $e->[2] eq 'checkout';
	}
	$x{recency} = ($cutoff - $x{latest}) / $day;
	$x{minutes} = $x{seconds} / ($n[$u] + 1) / 60;
	my $eta = $weight{intercept} + ($weight{ $country[$u] } // 0);
	$eta += $weight{$_} * $x{$_} for qw(clicks_30d checkouts_30d orders recency minutes);
	my $p = 1 / (1 + exp(-$eta));
	push @truth, $p;
	push @buyers, $u if rand() < $p;
}

# after it: the buyers buy, and everybody clicks on
push @events, event($_, floor($cutoff + rand() * ($end - $cutoff)), 1) for @buyers;
@n = shares($real - @events, \@activity);
for my $u (0 .. $users - 1)
{
	push @events, event($u, floor($cutoff + rand() * ($end - $cutoff)), 0) for 1 .. $n[$u];
}

# which event gets which kind of dirt: each at most one
my @order = (0 .. $#events);
for my $i (reverse 1 .. $#order)
{
	my $j = int rand($i + 1);
	@order[ $i, $j ] = @order[ $j, $i ];
}
my @dirt = ('') x @events;
my @purchases = grep { defined $events[$_][6] } @order;
$dirt[$_] = 'negative' for splice(@purchases, 0, $plant{negative});
my @clean = grep { $dirt[$_] eq '' } @order;
for my $kind (sort grep { $_ ne 'negative' } keys %plant)
{
	# one submitted twice keeps its duration and page: these decide that it is the same
	$dirt[$_] = $kind for splice(@clean, 0, $plant{$kind});
}

sub time_text
{
	my ($t, $form) = @_;
	my ($s, $m, $h, $d, $mon, $y) = gmtime($form == 3 ? $t + 8 * 3600 : $t);
	my @f = ($y + 1900, $mon + 1, $d, $h, $m, $s);
	return sprintf('%04d-%02d-%02dT%02d:%02d:%02dZ', @f) if $form == 0;
	return sprintf('%04d-%02d-%02d %02d:%02d:%02d', @f) if $form == 1;
	return sprintf('%04d%02d%02dT%02d%02d%02dZ', @f) if $form == 2;
	return sprintf('%04d-%02d-%02dT%02d:%02d:%02d.000+08:00', @f);
}

# the line of an event; a value is written as text when it is dirty
sub line
{
	my ($e, $click, $kind) = @_;
	my ($time, $user, $page, $seconds, $device, $country, $order) = @$e;
	my %v = (
		user_id => $user,
		click_id => $click,
		click_time => '"' . time_text($time, int rand 4) . '"',
		click_duration => sprintf('%.3f', $seconds),
		page => qq("$page"), device => qq("$device"), country => qq("$country"));

	my $token = '"' . $tokens[ rand @tokens ] . '"';
	if ($kind eq 'bad_key') { $v{click_id} = '"abc"' }
	elsif ($kind eq 'no_key') { delete $v{click_id} }
	elsif ($kind eq 'no_user') { $v{user_id} = rand() < 0.3 ? 'null' : $token }
	elsif ($kind eq 'bad_duration') { $v{click_duration} = '"abc"' }
	elsif ($kind eq 'bad_time') { $v{click_time} = '"2024-13-45T25:61:00Z"' }
	elsif ($kind eq 'no_duration') { $v{click_duration} = $token }
	elsif ($kind eq 'token') { $v{ (qw(page device country))[ rand 3 ] } = $token }
	elsif ($kind eq 'case') { $v{country} = qq("\L$country\E") }
	elsif ($kind eq 'blanks')
	{
		$v{page} = qq("  $page ");
		$v{country} = qq("$country\\t");
		$v{user_id} = qq(" $user ");
	}
	elsif ($kind eq 'bytes') { $v{page} = qq("caf\xe9 $page") }

	my @fields = map { exists $v{$_} ? qq("$_":$v{$_}) : () }
	  qw(user_id click_id click_time click_duration page device country);
	if (defined $order)
	{
		push @fields, sprintf('"purchase_id":"p%08d","purchase_duration":%.1f,"order_value":%.2f',
			$click, 30 + 2 * $seconds, $kind eq 'negative' ? -$order : $order);
	}
	elsif (rand() < 0.5)
	{
		push @fields, '"purchase_id":null,"purchase_duration":null,"order_value":null';
	}
	my $line = '{' . join(',', @fields) . '}';
	$line = substr($line, 0, 20 + rand(length($line) - 30)) if $kind eq 'truncated';
	$line = sprintf('%s WARN collector restarted, %d events in queue', time_text($time, 0), rand 500)
	  if $kind eq 'noise';
	return $line;
}

# as a collector would have written them: by time
my @lines;
my $click = 1_000_000;
for my $i (sort { $events[$a][0] <=> $events[$b][0] || $a <=> $b } 0 .. $#events)
{
	my ($e, $kind) = ($events[$i], $dirt[$i]);
	my $line = line($e, ++$click, $kind);
	push @lines, [ $e->[0], $line ];
	push @lines, [ $e->[0] + rand(3600), $line ] if $kind eq 'repeated';
	push @lines, [ $e->[0] + 1, line($e, ++$click, '') ] if $kind eq 'submitted_twice';
}

open my $out, '>:raw', "$folder/user_behavior.json" or die "user_behavior.json: $!\n";
print $out $lines[$_][1], "\n" for sort { $lines[$a][0] <=> $lines[$b][0] || $a <=> $b } 0 .. $#lines;
close $out or die "user_behavior.json: $!\n";

open $out, '>', "$folder/truth.csv" or die "truth.csv: $!\n";
printf $out "%d,%.17g\n", $_ + 1, $truth[$_] for 0 .. $#truth;
close $out or die "truth.csv: $!\n";

open $out, '>', "$folder/planted.csv" or die "planted.csv: $!\n";
print $out "$_,$plant{$_}\n" for sort keys %plant;
print $out "lines," . scalar(@lines) . "\nbuyers," . scalar(@buyers) . "\n";
close $out or die "planted.csv: $!\n";
