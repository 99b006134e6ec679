using System.Management.Automation;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>Lets a parameter for a number of bytes take <c>4GB</c>, <c>"4GB"</c> and QEMU's <c>"4G"</c>.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ByteSizeAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object? Transform(EngineIntrinsics engineIntrinsics, object? inputData)
    {
        object? value = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        if (value is null)
        {
            return null;
        }

        try
        {
            return ByteSize.Parse(value);
        }
        catch (FormatException e)
        {
            throw new ArgumentTransformationMetadataException(e.Message, e);
        }
    }
}
