using Qcow2.Engine.Http;

namespace Qcow2.Engine.Tests.Http;

/// <summary>The rules that need no server: addresses, states of a file, pauses, and what is read ahead.</summary>
public sealed class HttpRulesTests
{
    private const long Page = HttpPages.PageSize;
    private const long Most = 16 << 20;

    [Theory]
    [InlineData("https://cloud.example.com/a/disk.img", "https://cloud.example.com/a/disk.img", ".img")]
    [InlineData("https://cloud.example.com:8443/disk.v1.qcow2?X-Amz-Signature=secret#part", "https://cloud.example.com:8443/disk.v1.qcow2?...", ".qcow2")]
    [InlineData("http://me:secret@host/disk", "http://host/disk", "")]
    [InlineData("https://host/a.b/disk%20one.VHD", "https://host/a.b/disk%20one.VHD", ".VHD")]
    public void Addresses_are_shown_without_their_secrets(string address, string shown, string extension)
        => Assert.Equal((shown, extension), (HttpAddress.Show(new Uri(address)), HttpAddress.ExtensionOf(new Uri(address))));

    [Theory]
    [InlineData("https://host/disk", true)]
    [InlineData("HTTP://host/disk", true)]
    [InlineData("disk.img", false)]
    [InlineData("/disk.img", false)]
    [InlineData("file:///disk.img", false)]
    [InlineData("ftp://host/disk", false)]
    [InlineData("https://me@host/disk", false)]
    public void Only_files_on_servers_are_read(string address, bool isOne)
        => Assert.Equal(isOne, HttpAddress.ProblemOf(new Uri(address, UriKind.RelativeOrAbsolute)) is null);

    [Theory]
    [InlineData("\"a\"", null, "\"a\"", null, true)]
    [InlineData("\"a\"", null, "\"b\"", null, false)]
    [InlineData("\"a\"", "Mon", "\"a\"", "Tue", true)]
    [InlineData("W/\"a\"", "Mon", "W/\"a\"", "Mon", true)]
    [InlineData("W/\"a\"", "Mon", "W/\"a\"", "Tue", false)]
    [InlineData("W/\"a\"", "Mon", "W/\"b\"", "Mon", false)]
    [InlineData("\"a\"", "Mon", "W/\"a\"", "Mon", false)]
    [InlineData(null, "Mon", null, "Mon", true)]
    [InlineData(null, "Mon", null, "Tue", false)]
    [InlineData("\"a\"", "Mon", null, "Mon", true)]
    [InlineData("\"a\"", null, null, null, false)]
    [InlineData("\"a\"", null, null, "Mon", false)]
    public void States_of_a_file_are_told_by_what_the_server_says(string? tag, string? time, string? laterTag, string? laterTime, bool isSame)
    {
        var first = new HttpEntity(10, tag, time);
        Assert.Equal(isSame, new HttpEntity(10, laterTag, laterTime).DifferenceFrom(first) is null);
        Assert.NotNull(new HttpEntity(11, laterTag, laterTime).DifferenceFrom(first));
    }

    [Fact]
    public void Pauses_get_longer_up_to_a_limit()
    {
        var retry = new HttpRetry(new HttpFileOptions { RetryInterval = TimeSpan.FromSeconds(1) });
        Assert.InRange(retry.PauseAfter(1, null).TotalSeconds, 0.75, 1.25);
        Assert.InRange(retry.PauseAfter(4, null).TotalSeconds, 6, 10);
        Assert.InRange(retry.PauseAfter(1000, null).TotalSeconds, 22, 38);
        Assert.Equal(60, retry.PauseAfter(1, TimeSpan.FromSeconds(60)).TotalSeconds);
        Assert.Equal(120, retry.PauseAfter(1, TimeSpan.FromDays(9)).TotalSeconds);
    }

    [Fact]
    public void A_look_here_and_there_asks_for_nothing_more()
    {
        var ahead = new HttpReadAhead(Most);
        foreach (long offset in new[] { 0, 100 * Page, 7 * Page, 4000 * Page, 1000 * Page, 50, 2000 * Page })
        {
            Assert.Equal((0, 0), ahead.Note(offset, offset + 4096));
        }
    }

    [Fact]
    public void The_longer_a_run_the_more_is_asked_for_ahead_of_it()
    {
        var ahead = new HttpReadAhead(Most);
        long asked = 0;
        long waste = 0;
        for (long offset = 0; offset < 64 << 20; offset += Page)
        {
            (long from, long end) = ahead.Note(offset, offset + Page);
            if (end > from)
            {
                Assert.Equal(asked == 0 ? from : asked, from);
                Assert.InRange(end - offset, Page, Most + Page);
                asked = end;
            }

            waste = Math.Max(waste, asked - (2 * (offset + Page)));
        }

        Assert.InRange(asked, (64 << 20) + (Most / 2), (64 << 20) + Most);
        Assert.True(waste <= 0, "No more is ahead than was read.");
    }

    [Fact]
    public void Threads_that_pass_each_other_are_one_run_and_tables_in_between_do_not_end_it()
    {
        var ahead = new HttpReadAhead(Most);
        long asked = 0;
        for (long offset = 0; offset < 64 << 20; offset += 4 << 20)
        {
            foreach (long start in new[] { offset + (2 << 20), offset, 900L << 20 })
            {
                (long _, long end) = ahead.Note(start, start + (start < 900L << 20 ? 2 << 20 : 4096));
                asked = Math.Max(asked, end);
            }
        }

        Assert.InRange(asked, (64 << 20) + (Most / 2), (64 << 20) + Most);
    }

    [Fact]
    public void What_has_more_gaps_than_data_is_not_read_ahead()
    {
        var ahead = new HttpReadAhead(Most);
        long asked = 0;
        for (long offset = 0; offset < 64 << 20; offset += 6 * Page)
        {
            (long from, long end) = ahead.Note(offset, offset + Page);
            asked += end - from;
        }

        Assert.InRange(asked, 0, 4 * Page);
    }
}
