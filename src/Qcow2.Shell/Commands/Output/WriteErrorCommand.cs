using System.Management.Automation;

namespace Qcow2.Shell.Commands.Output;

/// <summary>Write-Error: a non-terminating error.</summary>
[Cmdlet(VerbsCommunications.Write, "Error", DefaultParameterSetName = "NoException")]
internal sealed class WriteErrorCommand : PSCmdlet
{
    [Parameter(Position = 0, ParameterSetName = "NoException", Mandatory = true, ValueFromPipeline = true)]
    [Parameter(ParameterSetName = "WithException")]
    [Alias("Msg")]
    [AllowNull]
    [AllowEmptyString]
    public string? Message { get; set; }

    [Parameter(Position = 0, ParameterSetName = "WithException", Mandatory = true)]
    public Exception? Exception { get; set; }

    [Parameter(Position = 0, ParameterSetName = "ErrorRecord", Mandatory = true)]
    public ErrorRecord? ErrorRecord { get; set; }

    [Parameter]
    public ErrorCategory Category { get; set; } = ErrorCategory.NotSpecified;

    [Parameter]
    public string ErrorId { get; set; } = "Microsoft.PowerShell.Commands.WriteErrorException";

    [Parameter]
    public object? TargetObject { get; set; }

    [Parameter]
    public string? RecommendedAction { get; set; }

    protected override void ProcessRecord()
    {
        ErrorRecord error = ErrorRecord is null
            ? new ErrorRecord(Exception ?? new WriteErrorException(Message ?? ""), ErrorId, Category, TargetObject)
            : new ErrorRecord(ErrorRecord, ErrorRecord.Exception);
        if (ErrorRecord is null && (Message ?? RecommendedAction) is not null)
        {
            error.ErrorDetails = new ErrorDetails(Message ?? Exception!.Message) { RecommendedAction = RecommendedAction ?? "" };
        }

        WriteError(error);
    }
}
