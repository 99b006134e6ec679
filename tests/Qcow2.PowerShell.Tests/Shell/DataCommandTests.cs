namespace Qcow2.PowerShell.Tests.Shell;

public sealed class DataCommandTests(ShellTestSession shell) : IClassFixture<ShellTestSession>
{
    [Theory]
    [InlineData("[pscustomobject]@{ p = 1.0; q = $null; r = $true; s = [DayOfWeek]::Friday; t = 1, 'x\"<é' }", """{"p":1.0,"q":null,"r":true,"s":5,"t":[1,"x\"<é"]}""")]
    [InlineData("1, 2", "[1,2]")]
    [InlineData("[version]'1.2', [timespan]::Zero, [uint64]::MaxValue", """["1.2","00:00:00",18446744073709551615]""")]
    public void To_json(string value, string expected) => Assert.Equal(expected, shell.Run($"{value} | ConvertTo-Json -Compress"));

    [Fact]
    public void Json_is_indented_and_cut_at_its_depth_with_a_warning()
    {
        (_, string output, string error) = shell.TryRun("@{ a = @{ b = @{ c = 1 } } } | ConvertTo-Json -Depth 1");
        Assert.Equal("{\n  \"a\": {\n    \"b\": \"System.Collections.Hashtable\"\n  }\n}", output);
        Assert.Contains("depth of 1", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("$j.n + 1", "2")]
    [InlineData("$j.o.list[1]", "2.5")]
    [InlineData("$j.date.Year", "2024")]
    [InlineData("$null -eq $j.nothing", "True")]
    public void From_json(string script, string expected) => Assert.Equal(
        expected,
        shell.Run("$j = '{\"n\":1,\"o\":{\"list\":[1,2.5]},\"date\":\"2024-01-02T03:04:05\",\"nothing\":null}' | ConvertFrom-Json; " + script));

    [Fact]
    public void Bad_json_is_a_terminating_error() =>
        Assert.Contains("Conversion from JSON failed", shell.TryRun("'{' | ConvertFrom-Json; 'on'").Error, StringComparison.Ordinal);

    [Fact]
    public void Csv_quotes_every_field()
    {
        const string Rows = "[pscustomobject]@{ Path = 'a \"b\", c'; Size = 1 }, [pscustomobject]@{ Path = 'd'; Size = $null }";
        const string Expected = "\"Path\",\"Size\"\n\"a \"\"b\"\", c\",\"1\"\n\"d\",\"\"";
        Assert.Equal(Expected, shell.Run($"{Rows} | ConvertTo-Csv -NoTypeInformation"));
        Assert.Equal(Expected + "\n\"e\",\"2\"", shell.Run(
            $"{Rows} | Export-Csv t.csv; [pscustomobject]@{{ Path = 'e'; Size = 2 }} | Export-Csv t.csv -Append; gc t.csv"));
    }
}
