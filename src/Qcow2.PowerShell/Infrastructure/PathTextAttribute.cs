using System.Management.Automation;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>
/// Keeps an object that is made of properties from being turned into text and taken for a path. It is bound by its
/// properties then, which PowerShell tries last.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class PathTextAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object? Transform(EngineIntrinsics engineIntrinsics, object? inputData)
    {
        if (inputData is PSObject { BaseObject: PSCustomObject } item)
        {
            // The binder goes on to other parameters only for this inner exception.
            throw new ArgumentTransformationMetadataException(
                $"'{item}' is not a path.", new PSInvalidCastException($"'{item}' is not a path."));
        }

        return inputData;
    }
}
