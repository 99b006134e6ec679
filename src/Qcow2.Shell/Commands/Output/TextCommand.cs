using System.Management.Automation;
using Microsoft.PowerShell.Commands.Internal.Format;
using Qcow2.Shell.Engine;

namespace Qcow2.Shell.Commands.Output;

/// <summary>Renders objects as the text a user would see, without colours.</summary>
internal abstract class TextCommand : FrontEndCommandBase
{
    // One less than the largest: the engine adds to it.
    private const int Unlimited = int.MaxValue - 1;

    /// <summary>Columns of the text; 0: as many as it takes.</summary>
    [Parameter]
    [ValidateRange(2, int.MaxValue)]
    public int Width { get; set; }

    /// <summary>Where the text goes; set before <see cref="BeginProcessing"/>.</summary>
    private protected TextWriter? Writer { get; set; }

    protected override void BeginProcessing()
    {
        EngineInternals.RenderInto(this, Writer ?? TextWriter.Null, Width > 0 ? Width : Unlimited);
        base.BeginProcessing();
    }
}
