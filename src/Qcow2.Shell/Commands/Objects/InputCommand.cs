using System.Management.Automation;

namespace Qcow2.Shell.Commands.Objects;

/// <summary>A command that works on the objects of the pipeline.</summary>
internal abstract class InputCommand : PSCmdlet
{
    [Parameter(ValueFromPipeline = true)]
    public PSObject? InputObject { get; set; }

    [Parameter(Position = 0)]
    public object[] Property { get; set; } = [];

    /// <summary>The entries of -Property, read once.</summary>
    private protected PropertySelector[] Selectors { get; private set; } = [];

    protected override void BeginProcessing() => Selectors = [.. Property.Select(p => new PropertySelector(p))];

    protected override void ProcessRecord()
    {
        if (MyInvocation.ExpectingInput ? InputObject is not null : MyInvocation.BoundParameters.ContainsKey(nameof(InputObject)))
        {
            Process(InputObject!);
        }
    }

    /// <summary>Takes one object.</summary>
    private protected abstract void Process(PSObject item);
}
