using System.Management.Automation;
using System.Text;
using System.Text.Json;

namespace Qcow2.Shell.Commands.Data;

/// <summary>ConvertFrom-Json: objects from JSON.</summary>
[Cmdlet(VerbsData.ConvertFrom, "Json")]
internal sealed class ConvertFromJsonCommand : PSCmdlet
{
    private readonly StringBuilder _text = new();

    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    [AllowEmptyString]
    public string InputObject { get; set; } = "";

    [Parameter]
    public SwitchParameter AsHashtable { get; set; }

    [Parameter]
    public SwitchParameter NoEnumerate { get; set; }

    [Parameter]
    [ValidateRange(1, 1024)]
    public int Depth { get; set; } = 1024;

    protected override void ProcessRecord() => _text.AppendLine(InputObject);

    protected override void EndProcessing()
    {
        JsonDocumentOptions options = new() { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip, MaxDepth = Depth };
        try
        {
            using JsonDocument document = JsonDocument.Parse(_text.ToString(), options);
            WriteObject(new JsonValues(AsHashtable).Read(document.RootElement), enumerateCollection: !NoEnumerate);
        }
        catch (JsonException e)
        {
            PSArgumentException reason = new($"Conversion from JSON failed: {e.Message}", e);
            ThrowTerminatingError(new ErrorRecord(reason, "JsonInvalid", ErrorCategory.InvalidData, null));
        }
    }
}
