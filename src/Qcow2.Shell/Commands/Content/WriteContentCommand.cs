using System.Management.Automation;
using System.Text;
using Qcow2.Shell.Commands.Items;

namespace Qcow2.Shell.Commands.Content;

/// <summary>Writes the values it gets to files, each as a line, or as bytes.</summary>
internal abstract class WriteContentCommand : PathCommand, IDisposable
{
    private List<FileStream>? _files;

    [Parameter(Mandatory = true, Position = 1, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [AllowNull]
    [AllowEmptyCollection]
    public object?[] Value { get; set; } = [];

    // The values come through the pipeline here, not the paths.
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = "Path", ValueFromPipelineByPropertyName = true)]
    public override string[] Path { get; set; } = [];

    [Parameter]
    public SwitchParameter AsByteStream { get; set; }

    [Parameter]
    public SwitchParameter NoNewline { get; set; }

    [Parameter]
    public SwitchParameter PassThru { get; set; }

    [Parameter]
    [TextEncoding]
    public Encoding Encoding { get; set; } = TextEncodingAttribute.Default;

    /// <summary>What becomes of a file that exists.</summary>
    private protected abstract FileMode Mode { get; }

    protected override void ProcessRecord()
    {
        if (_files is null)
        {
            _files = [];
            base.ProcessRecord();
        }

        byte[] bytes = AsByteStream ? Bytes() : Encoding.GetBytes(string.Concat(Value.Select(Line)));
        foreach (FileStream file in _files)
        {
            file.Write(bytes);
        }

        WriteObject(PassThru ? Value : [], enumerateCollection: true);
    }

    private protected override void Process(string path)
    {
        bool pattern = !Literal && WildcardPattern.ContainsWildcardCharacters(path);
        foreach (string file in pattern ? FilesOf(path) : [GetUnresolvedProviderPathFromPSPath(path)])
        {
            if (ShouldProcess(file))
            {
                _files!.Add(Open(file));
            }
        }
    }

    public void Dispose() => _files?.ForEach(f => f.Dispose());

    private FileStream Open(string file)
    {
        FileStream stream = new(file, Mode, FileAccess.Write, FileShare.Read);
        if (!AsByteStream && stream.Position == 0)
        {
            stream.Write(Encoding.Preamble);
        }

        return stream;
    }

    private byte[] Bytes() => [.. Value.SelectMany(v => LanguagePrimitives.ConvertTo<byte[]>(v))];

    private string Line(object? value) => LanguagePrimitives.ConvertTo<string>(value) + (NoNewline ? "" : Environment.NewLine);
}
