using Qcow2.PowerShell.Reports;

namespace Qcow2.PowerShell.Tests.Reports;

public sealed class ReportTextTests
{
    [Theory]
    [InlineData(null, "")]
    [InlineData("Größe 磁盘 \ud83d\ude00", "Größe 磁盘 \ud83d\ude00")]
    [InlineData("a\0b\u001b[31m", "a\\x00b\\x1b[31m")]
    [InlineData("moc.\u202efdp", "moc.\\u202efdp")]
    public void What_hides_or_is_no_character_is_shown_as_a_code(string? text, string shown) => Assert.Equal(shown, ReportText.Of(text));

    [Fact]
    public void Half_of_a_character_is_shown_as_a_code() // The runner itself loses them in its data.
        => Assert.Equal("x\\ud800y\\udc00 \ud83d\ude00", ReportText.Of("x\ud800y\udc00 \ud83d\ude00"));

    [Fact]
    public void A_name_of_any_length_is_cut_in_its_middle()
    {
        string shown = ReportText.Of(new string('\ud800', 32_768) + new string('x', 32_760) + ".qcow2");
        Assert.InRange(shown.Length, 100, 1_200);
        Assert.EndsWith("x.qcow2 (65,534 characters)", shown, StringComparison.Ordinal);
        Assert.Contains(" … ", shown, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/var/images/web.qcow2", "web.qcow2", "/var/images")]
    [InlineData(@"C:\VMs\web.vhdx", "web.vhdx", @"C:\VMs")]
    [InlineData("web.qcow2", "web.qcow2", "")]
    [InlineData("/", "/", "")]
    [InlineData("", "", "")]
    public void A_path_of_any_system_is_taken_apart(string path, string name, string folder)
    {
        Assert.Equal(name, ReportText.FileName(path));
        Assert.Equal(folder, ReportText.Folder(path));
    }

    [Fact]
    public void Times_have_their_distance_from_UTC_and_those_of_no_calendar_are_none()
    {
        var time = new DateTimeOffset(2026, 3, 1, 23, 59, 58, TimeSpan.FromMinutes(-210));
        Assert.Equal("2026-03-01 23:59:58 -03:30", ReportText.Time(time));
        Assert.Equal("2026-03-01T23:59:58-03:30", ReportText.MachineTime(time));
        Assert.Null(ReportText.TimeOf(default));
        Assert.Equal(TimeSpan.Zero, ReportText.TimeOf(new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc))!.Value.Offset);
        foreach (DateTime edge in new[] { DateTime.MaxValue, new DateTime(9999, 12, 31, 23, 0, 0, DateTimeKind.Local), new DateTime(1, 1, 1, 1, 0, 0, DateTimeKind.Local) })
        {
            _ = ReportText.TimeOf(edge); // Whatever the zone of the machine.
        }
    }

    [Theory]
    [InlineData(0, 100, "0 %")]
    [InlineData(1, 10_000, "< 0.1 %")]
    [InlineData(55, 1_000, "5.5 %")]
    [InlineData(1, 3, "33 %")]
    [InlineData(3, 2, "150 %")]
    [InlineData(1, 0, "")]
    public void Shares_are_short(long part, long whole, string shown) => Assert.Equal(shown, ReportText.Share(part, whole));
}
