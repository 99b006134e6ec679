using System.Text;
using Qcow2.Shell.Hosting;

namespace Qcow2.Shell.Commands.Output;

/// <summary>Passes lines on without escape sequences.</summary>
/// <param name="inner">Takes the text.</param>
/// <param name="joinLines">Leave the line ends out.</param>
internal sealed class PlainTextWriter(TextWriter inner, bool joinLines) : TextWriter
{
    public override Encoding Encoding => inner.Encoding;

    public override void Write(char value) => inner.Write(value);

    public override void Write(string? value) => inner.Write(Ansi.Strip(value ?? ""));

    public override void WriteLine(string? value)
    {
        Write(value);
        if (!joinLines)
        {
            inner.WriteLine();
        }
    }
}
