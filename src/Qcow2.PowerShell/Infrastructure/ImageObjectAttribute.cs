using System.Collections;
using System.Management.Automation;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>
/// Takes objects that this module emitted in whatever state they arrive: as they are, or as the bags of properties that a job, remoting,
/// <c>Export-Clixml</c>, <c>Select-Object</c> or a table made of them. What is none of them goes on to the parameters that take paths.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ImageObjectAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object? Transform(EngineIntrinsics engineIntrinsics, object? inputData) => inputData switch
    {
        null => null,
        PSObject { BaseObject: Qcow2ImageObject } or Qcow2ImageObject => inputData,
        PSObject { BaseObject: IList list } => All(list),
        IList list => All(list),
        _ => One(inputData),
    };

    private static Qcow2ImageObject[] All(IList list) => [.. list.Cast<object?>().Select(One)];

    private static Qcow2ImageObject One(object? item)
        => item is PSObject { BaseObject: Qcow2ImageObject wrapped } ? wrapped
            : item as Qcow2ImageObject
            ?? ImageObjectReader.Read(item)
            ?? throw PathTextAttribute.GoOn($"'{item}' is no object that a cmdlet of this module emitted, and has no properties of one.");
}
