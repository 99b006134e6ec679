using System.Collections.ObjectModel;
using System.Management.Automation;
using System.Management.Automation.Host;
using Qcow2.Shell.Hosting;
using Qcow2.Shell.Sessions;

namespace Qcow2.PowerShell.Tests.Shell;

public sealed class HostingTests
{
    [Theory]
    [InlineData("1 + 1", false)]
    [InlineData("if ($true) {", true)]
    [InlineData("'open", true)]
    [InlineData("1 |", true)]
    [InlineData("}", false)]
    public void Prompt_waits_for_the_rest_of_a_statement(string text, bool expected) => Assert.Equal(expected, Repl.IsIncomplete(text));

    [Fact]
    public void Progress_is_one_line_that_is_cleared()
    {
        StringWriter terminal = new();
        ProgressLine line = new(terminal, () => 20);
        line.Show(1, new ProgressRecord(1, "Converting", "a.qcow2") { PercentComplete = 5 });
        line.Show(1, new ProgressRecord(1, "Converting", "too soon") { PercentComplete = 6 });
        line.Show(1, new ProgressRecord(1, "Converting", "a.qcow2") { RecordType = ProgressRecordType.Completed });
        line.Clear();
        Assert.Equal("\r\e[K  5% Converting: a.\r\e[K", terminal.ToString());
    }

    [Fact]
    public void Progress_names_the_time_left() => Assert.Equal(
        " 50% Converting: a.qcow2 | 00:01:30 left",
        ProgressLine.Text(new ProgressRecord(1, "Converting", "a.qcow2") { PercentComplete = 50, SecondsRemaining = 90 }));

    [Fact]
    public void Secret_is_read_key_by_key()
    {
        Queue<ConsoleKeyInfo> keys = new("xy\e\bab\bc\r".Select(Key));
        using System.Security.SecureString secret = SecretReader.Read(keys.Dequeue);
        Assert.Equal("ac", new PSCredential("u", secret).GetNetworkCredential().Password);
    }

    [Theory]
    [InlineData("", 1)]
    [InlineData("y", 0)]
    [InlineData("no", 1)]
    [InlineData("x", -1)]
    public void Choice_is_found_by_key_label_or_default(string answer, int expected)
    {
        ChoiceMenu menu = new(new Collection<ChoiceDescription> { new("&Yes", "Do it."), new("&No", "Leave it.") }, defaultChoice: 1);
        Assert.Equal("[Y] Yes  [N] No  [?] Help (default is \"N\")", menu.Question);
        Assert.Equal(expected, menu.Find(answer));
    }

    private static ConsoleKeyInfo Key(char c) => new(
        c, c switch { '\r' => ConsoleKey.Enter, '\b' => ConsoleKey.Backspace, '\e' => ConsoleKey.Escape, _ => ConsoleKey.A }, false, false, false);
}
