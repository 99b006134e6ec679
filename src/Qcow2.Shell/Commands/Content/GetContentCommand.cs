using System.Management.Automation;
using System.Management.Automation.Provider;
using System.Text;
using Qcow2.Shell.Commands.Items;

namespace Qcow2.Shell.Commands.Content;

/// <summary>Get-Content: the lines, the text or the bytes of a file; of another provider, its content.</summary>
[Cmdlet(VerbsCommon.Get, "Content", DefaultParameterSetName = "Path")]
internal sealed class GetContentCommand : PathCommand
{
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Alias("First", "Head")]
    [ValidateRange(0, long.MaxValue)]
    public long TotalCount { get; set; } = long.MaxValue;

    [Parameter]
    [Alias("Last")]
    [ValidateRange(0, int.MaxValue)]
    public int? Tail { get; set; }

    [Parameter]
    public SwitchParameter Raw { get; set; }

    [Parameter]
    public SwitchParameter AsByteStream { get; set; }

    [Parameter]
    [TextEncoding]
    public Encoding Encoding { get; set; } = TextEncodingAttribute.Default;

    private protected override void Process(string path)
    {
        SessionState.Path.GetUnresolvedProviderPathFromPSPath(path, out ProviderInfo provider, out _);
        if (provider.Name != "FileSystem")
        {
            WriteProviderContent(path);
            return;
        }

        foreach (string file in FilesOf(path))
        {
            WriteFile(file);
        }
    }

    private void WriteProviderContent(string path)
    {
        foreach (IContentReader reader in InvokeProvider.Content.GetReader([path], Force, Literal))
        {
            using (reader)
            {
                WriteObject(reader.Read(0), enumerateCollection: true);
            }
        }
    }

    private void WriteFile(string file)
    {
        if (AsByteStream)
        {
            WriteBytes(file);
        }
        else if (Raw)
        {
            WriteObject(File.ReadAllText(file, Encoding));
        }
        else
        {
            IEnumerable<string> lines = File.ReadLines(file, Encoding);
            WriteLines(Tail is { } tail ? lines.TakeLast(tail) : lines);
        }
    }

    private void WriteLines(IEnumerable<string> lines)
    {
        long left = TotalCount;
        foreach (string line in lines)
        {
            if (left-- <= 0)
            {
                break;
            }

            WriteObject(line);
        }
    }

    private void WriteBytes(string file)
    {
        using FileStream stream = File.OpenRead(file);
        long start = Tail is { } tail ? Math.Max(0, stream.Length - tail) : 0;
        byte[] bytes = new byte[Math.Min(TotalCount, stream.Length - start)];
        stream.Position = start;
        stream.ReadExactly(bytes);
        WriteObject(bytes, enumerateCollection: !Raw);
    }
}
